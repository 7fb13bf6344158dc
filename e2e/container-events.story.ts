import { once } from 'node:events';
import { type ServiceError, status } from '@grpc/grpc-js';
import test from 'ava';
import { connectCri } from './harness/cri.ts';
import { createContainer, containerConfig, exec, exitOf, removePod, runPod, runScript } from './harness/pod.ts';
import { until } from './harness/process.ts';
import type { ContainerEvent } from './harness/replies.ts';
import { story } from './harness/story.ts';

const stage = story();

/**
 * GetContainerEvents on a connection of its own (what one stream leaves unread holds up all others of its connection),
 * once it is served. `events` grows while it reads, `ended` is how the stream ended.
 */
async function listen() {
  const cri = connectCri(stage().daemon.socket);
  const stream = cri.stream('GetContainerEvents', {});
  const events: ContainerEvent[] = [];
  const ended = new Promise<ServiceError | null>((resolve) => {
    stream.on('error', resolve).on('end', () => resolve(null));
  });
  void ended.then(cri.close);
  await once(stream, 'metadata');
  // Until somebody asks for a first message, grpc-js hoards them all.
  stream.read(0);
  return { stream, events, ended, read: () => stream.on('data', (event: ContainerEvent) => events.push(event)) };
}

const brief = (event: ContainerEvent, names: Record<string, string>): string => {
  const type = event.container_event_type.replace(/^CONTAINER_(.*)_EVENT$/, '$1').toLowerCase();
  const containers = event.containers_statuses.map((one) => one.state.replace('CONTAINER_', '').toLowerCase());
  const pod = event.pod_sandbox_status?.state.replace('SANDBOX_', '').toLowerCase();
  return `${names[event.container_id]} ${type}: ${[pod, ...containers].join(' ')}`;
};

test('every client is told the life of a pod in order, each event with the pod as it was then, the newest container first', async (t) => {
  const { daemon } = stage();
  const clients = await Promise.all([listen(), listen(), listen()]);
  for (const client of clients) client.read();
  const pod = await runPod(daemon, 'told');
  // One that ends before its start is told is told as started and exited at once.
  const ended = await runScript(daemon, pod, 'short', 'until [ -e /go ]; do sleep 0.05; done; exit 6');
  await exec(daemon, ended, 'touch /go');
  await exitOf(daemon, ended);
  const killed = await runScript(daemon, pod, 'long', 'sleep 1000');
  await daemon.cri.call('RemoveContainer', { container_id: ended });
  await removePod(daemon, pod.id);
  const names = { [pod.id]: 'pod', [ended]: 'short', [killed]: 'long' };
  for (const { events, stream, ended: end } of clients) {
    const last = (event: ContainerEvent) => event.container_event_type === 'CONTAINER_DELETED_EVENT' && event.container_id === pod.id;
    await until(() => events.some(last), 60_000, 'the last event');
    t.deepEqual(events.map((event) => brief(event, names)), [
      'pod created: ready',
      'pod started: ready',
      'short created: ready created',
      'short started: ready running',
      'short stopped: ready exited',
      'long created: ready created exited',
      'long started: ready running exited',
      'short deleted: ready running',
      'long stopped: notready exited',
      'pod stopped: notready exited',
      'long deleted: notready',
      'pod deleted: notready',
    ]);
    t.true(events.every((event) => event.pod_sandbox_status?.metadata.uid === pod.config.metadata.uid));
    const stamps = events.map((event) => BigInt(event.created_at));
    t.true(stamps.every((stamp, i) => i === 0 || stamp > (stamps[i - 1] ?? 0n)), 'the stamps do not grow');
    stream.cancel();
    t.is((await end)?.code, status.CANCELLED);
  }
});

test('a status is stamped between the events around it, and shows the containers that they show', async (t) => {
  const { daemon } = stage();
  const client = await listen();
  client.read();
  const pod = await runPod(daemon, 'stamped');
  const container = await runScript(daemon, pod, 'c', 'sleep 1000');
  const { timestamp, containers_statuses } = await daemon.cri.call('PodSandboxStatus', { pod_sandbox_id: pod.id });
  await removePod(daemon, pod.id);
  await until(() => client.events.length === 8, 60_000, 'eight events');
  const [before, after] = [client.events[3], client.events[4]];
  t.deepEqual([before?.container_id, after?.container_id], [container, container]);
  t.true(BigInt(before?.created_at ?? 0) < BigInt(timestamp) && BigInt(timestamp) < BigInt(after?.created_at ?? 0));
  t.deepEqual(containers_statuses, before?.containers_statuses);
  client.stream.cancel();
});

test('a client that does not read makes nobody wait, loses its place and is told so', async (t) => {
  const { daemon } = stage();
  const [lazy, eager] = await Promise.all([listen(), listen()]);
  eager.read();
  const pod = await runPod(daemon, 'flood', { annotations: { large: 'x'.repeat(250_000) } });
  for (let attempt = 0; attempt < 35; attempt++) {
    const container_id = await createContainer(daemon, pod, containerConfig('c', ['true']));
    await daemon.cri.call('RemoveContainer', { container_id });
  }
  lazy.read();
  const end = await lazy.ended;
  t.is(end?.code, status.RESOURCE_EXHAUSTED);
  t.regex(end?.details ?? '', /list anew/);
  await until(() => eager.events.length === 2 + 3 * 35, 60_000, 'all events at the client that reads');
  t.true(lazy.events.length < eager.events.length);
  t.deepEqual(
    lazy.events.map((event) => event.created_at),
    eager.events.slice(0, lazy.events.length).map((event) => event.created_at),
  );
  eager.stream.cancel();
});

test('a daemon that ends ends the streams, and does not wait for them', async (t) => {
  const { daemon } = stage();
  const client = await listen();
  client.read();
  const from = performance.now();
  await daemon.stop();
  t.is((await client.ended)?.code, status.UNAVAILABLE);
  t.true(performance.now() - from < 8000);
});
