import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type ServiceError, status } from '@grpc/grpc-js';
import test, { type ExecutionContext } from 'ava';
import { type Filling, fillBytes, fillInodes } from './harness/fill.ts';
import { containerConfig, createContainer, exitOf, podConfig, removePod, runPod, runScript, type Pod } from './harness/pod.ts';
import { story } from './harness/story.ts';

/** The state directory lies on a small tmpfs of its own. */
const stage = story({
  daemon: {
    prepare: ({ state }) => execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=24M,nr_inodes=2000,mode=0711', 'berth-e2e', state]),
  },
});

async function refused(t: ExecutionContext, call: Promise<unknown>, message: RegExp): Promise<void> {
  const error = await t.throwsAsync<ServiceError>(call);
  t.is(error?.code, status.RESOURCE_EXHAUSTED, error?.details);
  t.regex(error?.details ?? '', message);
}

/** A container that ends with `code` once the file comes into being on the host. */
async function endsWith(pod: Pod, name: string, code: number): Promise<{ id: string; end: () => void }> {
  const { daemon } = stage();
  const host_path = join(daemon.directory, randomUUID());
  mkdirSync(host_path);
  const mounts = [{ host_path, container_path: '/order' }];
  const id = await runScript(daemon, pod, name, `until [ -e /order/end ]; do sleep 0.05; done; exit ${code}`, { mounts });
  return { id, end: () => writeFileSync(join(host_path, 'end'), '') };
}

/** What must go on and what must be refused while the state directory is full, and that all is well afterwards. */
async function liveThrough(t: ExecutionContext, fill: (directory: string) => Filling, what: RegExp): Promise<void> {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'before');
  const [stopped, removed] = [await runScript(daemon, pod, 'stopped', 'sleep 1000'), await runScript(daemon, pod, 'removed', 'sleep 1000')];
  const [ends, endsUnseen] = [await endsWith(pod, 'ends', 7), await endsWith(pod, 'unseen', 8)];
  const config = containerConfig('created', ['sleep', '1000']);
  const created = await createContainer(daemon, pod, config);
  const filling = fill(daemon.state);
  try {
    await refused(t, daemon.cri.call('RunPodSandbox', { config: podConfig(daemon, 'refused') }), what);
    await refused(t, createContainer(daemon, pod, containerConfig('refused', ['true'])), what);
    t.is(await createContainer(daemon, pod, config), created, 'what is there is answered to a retry');
    t.is((await daemon.cri.call('ListContainers', {})).containers.length, 5);
    await daemon.cri.call('StopContainer', { container_id: stopped, timeout: 0 });
    t.is((await exitOf(daemon, stopped)).exit_code, 137);
    ends.end();
    t.is((await exitOf(daemon, ends.id)).exit_code, 7);
    await daemon.kill();
    endsUnseen.end();
    await daemon.start();
    t.is((await exitOf(daemon, endsUnseen.id)).exit_code, 8);
    for (const container_id of [removed, created, ends.id]) await daemon.cri.call('RemoveContainer', { container_id });
    const { containers } = await daemon.cri.call('ListContainers', {});
    t.deepEqual(containers.map(({ id }) => id).sort(), [stopped, endsUnseen.id].sort());
  } finally {
    filling.free();
  }
  const after = await runPod(daemon, 'after');
  t.is((await exitOf(daemon, await runScript(daemon, after, 'c', 'exit 3'))).exit_code, 3);
  const again = fill(daemon.state);
  try {
    await removePod(daemon, pod.id);
    t.deepEqual((await daemon.cri.call('ListPodSandbox', {})).items.map(({ id }) => id), [after.id]);
  } finally {
    again.free();
  }
}

test('with the state directory full, new pods and containers are refused, others are stopped and removed, and exits are kept', async (t) => {
  await liveThrough(t, fillBytes, /state directory \S+ is full/);
});

test('with no inode left in the state directory it is the same', async (t) => {
  await liveThrough(t, fillInodes, /state directory \S+ has no inode left|state directory \S+ is full/);
});
