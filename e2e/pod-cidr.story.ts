import { randomInt } from 'node:crypto';
import { renameSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { startDaemon } from './harness/daemon.ts';
import { endDaemon } from './harness/end.ts';
import { leaks } from './harness/leaks.ts';
import { removePod, runPod } from './harness/pod.ts';

test('pods of the default network have addresses from the range that UpdateRuntimeConfig told, also after a restart', async (t) => {
  const daemon = await startDaemon();
  t.teardown(() => endDaemon(daemon));
  const { configDirectory } = daemon.network;
  // By its name the daemon knows the network that it wrote itself; one of the operator's keeps its own range.
  renameSync(join(configDirectory, '10-e2e.conflist'), join(configDirectory, '99-berth.conflist'));
  const prefix = `10.${randomInt(200, 250)}.${randomInt(1, 255)}.`;
  await daemon.cri.call('UpdateRuntimeConfig', { runtime_config: { network_config: { pod_cidr: `${prefix}0/24` } } });
  const addressOfPod = async (name: string): Promise<string> => {
    const { id } = await runPod(daemon, name);
    const { status } = await daemon.cri.call('PodSandboxStatus', { pod_sandbox_id: id });
    await removePod(daemon, id);
    return status.network?.ip ?? '';
  };
  t.true((await addressOfPod('told')).startsWith(prefix));
  await daemon.kill();
  await daemon.start();
  t.true((await addressOfPod('remembered')).startsWith(prefix));
  await daemon.stop();
  t.deepEqual(await leaks(daemon, new Set()), []);
});
