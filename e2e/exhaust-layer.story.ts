import { statfsSync } from 'node:fs';
import { join } from 'node:path';
import { type ServiceError, status } from '@grpc/grpc-js';
import test from 'ava';
import { mountDisk } from './harness/disk.ts';
import { below } from './harness/files.ts';
import { containerConfig, createContainer, exec, exitOf, logLines, removePod, runPod, runScript, statusOf } from './harness/pod.ts';
import { until } from './harness/process.ts';
import { story } from './harness/story.ts';

/** The root directory, with images and writable layers, lies on a disk of its own. */
const stage = story({ daemon: { prepare: ({ directory, root }) => mountDisk(join(directory, 'disk'), root, { size: '96M' }) } });
const mib = 1 << 20;

/** What root may use besides others counts too: so does the container. */
function freeBytes(): number {
  const { bfree, bsize } = statfsSync(stage().daemon.root);
  return bfree * bsize;
}
const named = (id: string): string[] => below(stage().daemon.root).map(({ path }) => path).filter((path) => path.includes(id));

test('a container that fills the root disk with its writable layer meets the end alone, and its removal gives the space back', async (t) => {
  const { daemon } = stage();
  const [pod, beside] = [await runPod(daemon, 'filler'), await runPod(daemon, 'beside')];
  const [going, stopping] = [await runScript(daemon, beside, 'going', 'exec sleep 1000'), await runScript(daemon, beside, 'stopping', 'exec sleep 1000')];
  const before = freeBytes();
  const filler = await runScript(daemon, pod, 'c', 'cat /dev/zero >/all; echo full; exec sleep 1000');
  // Of its two streams either may be logged first.
  t.regex((await logLines(pod, 'c', 2)).sort().join(), /No space left on device,full/);
  // ext4 keeps a share that it gives to nobody.
  t.true(freeBytes() < 8 * mib, `${freeBytes()} bytes are free`);

  for (const id of [filler, going]) {
    t.is((await statusOf(daemon, id)).state, 'CONTAINER_RUNNING');
    t.is((await exec(daemon, id, 'echo on')).stdout, 'on\n');
  }
  await daemon.cri.call('StopContainer', { container_id: stopping, timeout: 0 });
  t.is((await exitOf(daemon, stopping)).exit_code, 137);
  await daemon.cri.call('RemoveContainer', { container_id: stopping });
  t.deepEqual(named(stopping), []);
  const known = async () => (await daemon.cri.call('ListContainers', {})).containers.map(({ id }) => id).sort();
  const config = containerConfig('late', ['sleep', '1000']);
  // A few blocks may have come free with the neighbour.
  const late = await createContainer(daemon, beside, config).catch((error: ServiceError) => error);
  if (typeof late !== 'string') {
    t.is(late.code, status.RESOURCE_EXHAUSTED, late.details);
    t.regex(late.details, /No space left on device/);
    t.deepEqual(await known(), [filler, going].sort());
  }
  const other = await runPod(daemon, 'other');
  await removePod(daemon, other.id);

  await removePod(daemon, pod.id);
  t.deepEqual(named(filler), []);
  await until(() => freeBytes() > before - mib, 60_000, 'the space to come back');
  const again = typeof late === 'string' ? late : await createContainer(daemon, beside, config);
  await daemon.cri.call('StartContainer', { container_id: again });
  t.is((await exec(daemon, again, 'echo well > /file; cat /file')).stdout, 'well\n');
});
