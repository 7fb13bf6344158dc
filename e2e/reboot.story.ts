import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import test from 'ava';
import type { Daemon } from './harness/daemon.ts';
import { leaks, ownProcesses } from './harness/leaks.ts';
import { exitOf, runPod, runScript } from './harness/pod.ts';
import { until } from './harness/process.ts';
import { story } from './harness/story.ts';

const stage = story();

/** Ends every process of the daemon and its pods at once, and their cgroups, as the machine would. */
async function powerLoss(daemon: Daemon): Promise<void> {
  const running = () => ownProcesses(daemon).filter(({ pid }) => pid !== process.pid);
  for (const { pid } of running()) process.kill(pid, 'SIGKILL');
  await until(() => running().length === 0 && !daemon.isRunning(), 60_000, 'the end of all processes');
  for (const hierarchy of readdirSync('/sys/fs/cgroup')) {
    const parent = join('/sys/fs/cgroup', hierarchy, daemon.cgroupParent);
    spawnSync('find', [parent, '-depth', '-mindepth', '1', '-type', 'd', '-exec', 'rmdir', '{}', ';'], { stdio: 'ignore' });
  }
}

/** What lies in the state directory was written by another boot. */
function otherBoot(daemon: Daemon): void {
  const database = new DatabaseSync(join(daemon.state, 'state.db'));
  database.exec("UPDATE boot SET id = 'another'");
  database.close();
}

/** Takes the state directory away with all that is mounted in it, as a boot does with a tmpfs. */
function emptyState(daemon: Daemon): void {
  const mounts = spawnSync('findmnt', ['-rno', 'TARGET', '-R', daemon.state], { encoding: 'utf8' }).stdout.trim().split('\n');
  for (const path of mounts.reverse()) spawnSync('umount', ['-l', path]);
}

/** Takes away what only memory holds: pinned namespaces. The files they were pinned to may stay. */
function unpin(ids: readonly string[]): void {
  for (const id of ids) spawnSync('umount', ['-l', `/run/netns/${id}`], { stdio: 'ignore' });
}

for (const [title, lose] of [
  ['with the state directory as it was', otherBoot],
  ['with an empty state directory', emptyState],
] as const) {
  test(`after a reboot ${title} no pod is there, nothing of one is left, and images and new pods work`, async (t) => {
    const { daemon, baseline } = stage();
    const pod = await runPod(daemon, 'before', { port_mappings: [{ protocol: 0, container_port: 80, host_port: 28_082 }] });
    await runScript(daemon, pod, 'c', 'echo data >/file; sleep 1000');
    await powerLoss(daemon);
    unpin([pod.id]);
    lose(daemon);
    await daemon.start();
    t.deepEqual((await daemon.cri.call('ListPodSandbox', {})).items, []);
    t.deepEqual((await daemon.cri.call('ListContainers', {})).containers, []);
    t.deepEqual(await leaks(daemon, baseline), []);
    const { status } = await daemon.cri.call('RunPodSandbox', { config: pod.config }).then(({ pod_sandbox_id }) =>
      daemon.cri.call('PodSandboxStatus', { pod_sandbox_id }),
    );
    t.is(status.state, 'SANDBOX_READY');
    const after = { id: status.id, config: pod.config };
    t.is((await exitOf(daemon, await runScript(daemon, after, 'c', 'test ! -e /file'))).exit_code, 0);
  });
}
