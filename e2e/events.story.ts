import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { connect } from 'nats';
import { exitOf, removePod, runPod, runScript } from './harness/pod.ts';
import { freePort, ready, start, until, type Running } from './harness/process.ts';
import { story } from './harness/story.ts';

const port = await freePort();
const directory = mkdtempSync(join(tmpdir(), 'berth-nats-'));
let server: Running;

const startNats = async (): Promise<void> => {
  server = start('nats-server', ['-a', '127.0.0.1', '-p', String(port)], join(directory, 'log'));
  const answers = () =>
    connect({ servers: `127.0.0.1:${port}`, reconnect: false }).then(
      (nats) => nats.close().then(() => true),
      () => false,
    );
  await ready(server, answers);
};
test.before('the NATS server starts', startNats);
const stage = story({ daemon: { args: ['--nats-url', `nats://127.0.0.1:${port}`] } });
test.after.always('the NATS server stops', async () => {
  await server.stop();
  rmSync(directory, { recursive: true });
});

type Told = { subject: string; podId?: string; containerId?: string; exitCode?: number; atNs?: string };

async function listen(): Promise<{ told: Told[]; close: () => Promise<void> }> {
  const nats = await connect({ servers: `127.0.0.1:${port}` });
  const told: Told[] = [];
  nats.subscribe('berth.v1.>', {
    callback: (_, message) => {
      told.push({ subject: message.subject, ...message.json<object>() });
    },
  });
  await nats.flush();
  return { told, close: () => nats.close() };
}

test('the life of a pod and its container is told in order', async (t) => {
  const { daemon } = stage();
  const { told, close } = await listen();
  const pod = await runPod(daemon, 'told');
  const container = await runScript(daemon, pod, 'c', 'exit 6');
  await exitOf(daemon, container);
  await removePod(daemon, pod.id);
  await until(() => told.some((event) => event.subject === 'berth.v1.pod.removed'), 60_000, 'the last event');
  await close();
  t.deepEqual(
    told.map((event) => event.subject).filter((subject) => !subject.startsWith('berth.v1.image')),
    [
      'berth.v1.pod.ready',
      'berth.v1.container.created',
      'berth.v1.container.started',
      'berth.v1.container.exited',
      'berth.v1.pod.stopped',
      'berth.v1.container.removed',
      'berth.v1.pod.removed',
    ],
  );
  t.true(told.every((event) => event.podId === pod.id && /^\d{19}$/.test(event.atNs ?? '')));
  const exited = told.find((event) => event.subject === 'berth.v1.container.exited');
  t.is(exited?.containerId, container);
  t.is(exited?.exitCode, 6);
});

test('nothing waits for a NATS server that is away, and events flow again when it is back', async (t) => {
  const { daemon } = stage();
  await server.kill();
  const startedMs = performance.now();
  const pod = await runPod(daemon, 'untold');
  await runScript(daemon, pod, 'c', 'sleep 1000');
  t.true(performance.now() - startedMs < 60_000);
  await startNats();
  const { told, close } = await listen();
  await until(
    async () => {
      await removePod(daemon, (await runPod(daemon, 'told-again')).id);
      return told.length > 0;
    },
    60_000,
    'an event after the NATS server came back',
  );
  await close();
  t.pass();
});
