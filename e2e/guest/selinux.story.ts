import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { startDaemon, type Daemon } from '../harness/daemon.ts';
import { endDaemon } from '../harness/end.ts';
import { textOf } from '../harness/files.ts';
import { busybox, containerConfig, createContainer, exec, podConfig, removePod, runPod, runScript, type Pod } from '../harness/pod.ts';
import { until } from '../harness/process.ts';
import { story } from '../harness/story.ts';
import { pidOf } from './cgroup.ts';

const stage = story();
const forever = 'sleep 100000';
const image = 'gcr.io/k8s-staging-cri-tools/test-image-1:latest';

/** The label of a process, as the kernel has it. */
const labelOf = (pid: number): string => readFileSync(`/proc/${pid}/attr/current`, 'utf8').replaceAll(/[\0\n]/g, '');
/** The label of a container's first process once it runs its own program: until then it is the OCI runtime's. */
async function processLabel(daemon: Daemon, id: string): Promise<string> {
  const pid = await pidOf(daemon, id);
  await until(() => textOf(`/proc/${pid}/cmdline`).includes('100000'), 60_000, `container ${id} to run its program`);
  return labelOf(pid);
}
/** The label of a file as somebody on the host sees it. */
const fileLabel = (path: string): string => spawnSync('stat', ['--format', '%C', path], { encoding: 'utf8' }).stdout.trim();
const rootOf = async (daemon: Daemon, id: string): Promise<string> => `/proc/${await pidOf(daemon, id)}/root`;
const levelOf = (label: string): string => label.split(':').slice(3).join(':');
const own = /^system_u:system_r:container_t:s0:c\d+,c\d+$/;

/** Whether pods can have user namespaces with the default OCI runtime. */
async function mapsUsers(daemon: Daemon): Promise<boolean> {
  const { runtime_handlers } = await daemon.cri.call('Status', {});
  return runtime_handlers.some(({ name, features }) => name === '' && features?.user_namespaces === true);
}

/** Options of a pod or container: its SELinux options, its own pid namespace, and more of its security context. */
const asking = (selinux_options: object, more: object = {}) => ({
  linux: { security_context: { namespace_options: { pid: 1 }, selinux_options, ...more } },
});
const podAsking = (selinux_options: object, more: object = {}) => {
  const { linux } = podConfig(stage().daemon, 'x');
  return { linux: { ...(linux as object), ...asking(selinux_options, more).linux } };
};

test('the policy is enforced here, so what a story shows is what the kernel does', (t) => {
  t.is(readFileSync('/sys/fs/selinux/enforce', 'utf8'), '1');
});

test('all processes of a pod have one label with categories of its own, and so has all that is mounted for them', async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'one', podAsking({}, { namespace_options: { pid: 0 } }));
  const shared = asking({}, { namespace_options: { pid: 0 } });
  const [first, second] = [await runScript(daemon, pod, 'a', forever, shared), await runScript(daemon, pod, 'b', forever, shared)];
  const label = await processLabel(daemon, first);
  t.regex(label, own);
  t.is(await processLabel(daemon, second), label);
  t.is((await exec(daemon, first, 'cat /proc/self/attr/current')).stdout.replaceAll('\0', ''), label);
  t.is((await exec(daemon, first, 'cat /proc/1/attr/current')).stdout.replaceAll('\0', ''), label, "the pod's PID 1");
  const files = `system_u:object_r:container_file_t:${levelOf(label)}`;
  const root = await rootOf(daemon, first);
  for (const path of ['/', '/bin/busybox', '/dev', '/dev/shm', '/etc/hosts', '/etc/hostname', '/etc/resolv.conf']) {
    t.is(fileLabel(join(root, path)), files, path);
  }
  t.is((await exec(daemon, first, 'echo hello > /dev/shm/x && echo hello > /new && cat /dev/shm/x /new')).stdout, 'hello\nhello\n');
  t.is(fileLabel(join(root, 'new')), files);
});

test('pods made side by side all have categories of their own, and keep them when the daemon is killed', async (t) => {
  const { daemon } = stage();
  const pods = await Promise.all(Array.from({ length: 8 }, (_, index) => runPod(daemon, `p${index}`)));
  const labels = async (name: string) => {
    const ids = await Promise.all(pods.map((pod) => runScript(daemon, pod, name, forever)));
    return await Promise.all(ids.map((id) => processLabel(daemon, id)));
  };
  const before = await labels('before');
  t.is(new Set(before).size, pods.length);
  await daemon.kill();
  await daemon.start();
  t.deepEqual(await labels('after'), before);
  const later = await runPod(daemon, 'later');
  t.false(before.includes(await processLabel(daemon, await runScript(daemon, later, 'c', forever))));
});

test('what a pod or container asks for is honoured, a part at a time', async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'asks', podAsking({ level: 's0:c4,c5' }));
  const plain = await runScript(daemon, pod, 'plain', forever);
  t.is(await processLabel(daemon, plain), 'system_u:system_r:container_t:s0:c4,c5');
  t.is(fileLabel(`${await rootOf(daemon, plain)}/`), 'system_u:object_r:container_file_t:s0:c4,c5');
  const other = await runScript(daemon, pod, 'other', forever, asking({ type: 'spc_t', level: 's0:c6' }));
  t.is(await processLabel(daemon, other), 'system_u:system_r:spc_t:s0:c6');
  t.is(fileLabel(`${await rootOf(daemon, other)}/`), 'system_u:object_r:container_file_t:s0:c6');
});

test("a pod whose label the policy keeps from its PID 1 runs, and the log says what label that has", async (t) => {
  const { daemon } = stage();
  // A type that is there, and into which only getty's own program leads.
  await runPod(daemon, 'kept', podAsking({ type: 'getty_t' }, { namespace_options: { pid: 0 } }));
  const warning = textOf(daemon.logPath).split('\n').find((line) => line.includes("has not the pod's SELinux label")) ?? '';
  t.regex(warning, /wanted=\S*getty_t/);
});

test('a label that the policy does not know is refused, and the name stays free', async (t) => {
  const { daemon } = stage();
  const message = /SELinux label .* is not valid in the loaded policy|SELinux level .* is none/;
  for (const wrong of [{ level: 's0,c4,c5' }, { type: 'nonsense_t' }, { level: 's0:c1,c2"' }]) {
    const config = podConfig(daemon, 'wrong', podAsking(wrong));
    await t.throwsAsync(daemon.cri.call('RunPodSandbox', { config }), { code: 3, message });
    const pod = await runPod(daemon, 'right');
    await t.throwsAsync(createContainer(daemon, pod, containerConfig('c', ['true'], asking(wrong))), { code: 3, message });
    t.regex(await processLabel(daemon, await runScript(daemon, pod, 'c', forever)), own);
    await removePod(daemon, pod.id);
  }
});

test('a volume that asks for it is relabelled for its pod with all in it, and is closed to all other pods', async (t) => {
  const { daemon } = stage();
  const directory = mkdtempSync(join(tmpdir(), 'berth-volume-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const volume = join(directory, 'volume');
  mkdirSync(join(volume, 'deep'), { recursive: true });
  writeFileSync(join(volume, 'deep/secret'), 'secret');
  writeFileSync(join(directory, 'outside'), '');
  symlinkSync('../outside', join(volume, 'link'));
  const mounted = (selinux_relabel: boolean) => ({ mounts: [{ container_path: '/v', host_path: volume, selinux_relabel }] });
  const [mine, others] = [await runPod(daemon, 'mine'), await runPod(daemon, 'others')];
  const id = await runScript(daemon, mine, 'c', forever, mounted(true));
  const files = `system_u:object_r:container_file_t:${levelOf(await processLabel(daemon, id))}`;
  for (const name of ['', 'deep', 'deep/secret', 'link']) t.is(fileLabel(join(volume, name)), files, name);
  t.not(fileLabel(join(directory, 'outside')), files);
  t.is((await exec(daemon, id, 'cat /v/deep/secret && echo more > /v/deep/more && cat /v/deep/more')).stdout, 'secretmore\n');
  const stranger = await runScript(daemon, others, 'c', forever, mounted(false));
  const refused = await exec(daemon, stranger, 'ls /v; cat /v/deep/secret; echo x > /v/x');
  t.is(refused.stdout, '');
  t.is(refused.stderr.match(/Permission denied/g)?.length, 3, refused.stderr);
  t.false(existsSync(join(volume, 'x')));
});

test('directories of the system keep their labels: such a mount is refused, also behind a link', async (t) => {
  const { daemon } = stage();
  const directory = mkdtempSync(join(tmpdir(), 'berth-volume-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  symlinkSync('/etc', join(directory, 'link'));
  const pod = await runPod(daemon, 'system');
  const before = fileLabel('/etc');
  for (const host_path of ['/etc', join(directory, 'link'), '/sys/fs']) {
    const mounts = [{ container_path: '/v', host_path, selinux_relabel: true }];
    const message = /cannot be given the SELinux label of a pod/;
    await t.throwsAsync(createContainer(daemon, pod, containerConfig('c', ['true'], { mounts })), { code: 3, message });
  }
  t.is(fileLabel('/etc'), before);
});

test('privileged containers and pods with processes, ipc or network of the host are not confined, those beside them are', async (t) => {
  const { daemon } = stage();
  const unconfined = 'system_u:system_r:spc_t:s0';
  const pod = await runPod(daemon, 'privileged', podAsking({}, { privileged: true }));
  const privileged = await runScript(daemon, pod, 'privileged', forever, asking({ level: 's0:c1' }, { privileged: true }));
  t.is(await processLabel(daemon, privileged), unconfined);
  t.regex(fileLabel(`${await rootOf(daemon, privileged)}/`), /^system_u:object_r:container_file_t:s0:c1$/);
  t.regex(await processLabel(daemon, await runScript(daemon, pod, 'beside', forever)), own);
  for (const [name, namespace_options] of Object.entries({ processes: { pid: 2 }, ipc: { pid: 1, ipc: 2 }, network: { pid: 1, network: 2 } })) {
    const shares = await runPod(daemon, name, podAsking({}, { namespace_options }));
    const plain = await runScript(daemon, shares, 'plain', forever, asking({}, { namespace_options }));
    t.is(await processLabel(daemon, plain), unconfined, name);
    const asks = await runScript(daemon, shares, 'asks', forever, asking({ type: 'container_t' }, { namespace_options }));
    t.regex(await processLabel(daemon, asks), own, name);
  }
});

test('an image that is mounted has the label of the pod, and a pod with a user namespace is labelled as any other', async (t) => {
  const { daemon } = stage();
  await daemon.cri.call('PullImage', { image: { image } });
  const ids = [{ host_id: 200_000, container_id: 0, length: 65_536 }];
  const mapped = await mapsUsers(daemon);
  if (!mapped) console.log('this OCI runtime maps no ids of mounts: a pod with the users of the host takes the place of one with a user namespace');
  const namespace_options = { pid: 1, ...(mapped ? { userns_options: { mode: 0, uids: ids, gids: ids } } : {}) };
  const pod: Pod = await runPod(daemon, 'user', podAsking({}, { namespace_options }));
  const mounts = [{ container_path: '/image', image: { image }, readonly: true }];
  const id = await runScript(daemon, pod, 'c', forever, { ...asking({}, { namespace_options }), mounts });
  const label = await processLabel(daemon, id);
  t.regex(label, own);
  t.is((await exec(daemon, id, 'id -u; cat /proc/self/uid_map; ls /image/bin/busybox')).stdout.replaceAll(/ +/g, ' '), `0\n 0 ${mapped ? '200000 65536' : '0 4294967295'}\n/image/bin/busybox\n`);
  for (const path of ['/', '/image', '/dev/shm', '/etc/hosts']) {
    t.is(fileLabel(join(await rootOf(daemon, id), path)), `system_u:object_r:container_file_t:${levelOf(label)}`, path);
  }
});

test('a daemon that is told so leaves SELinux alone', async (t) => {
  t.timeout(120_000);
  const { registry } = stage();
  const daemon = await startDaemon({ registries: [registry.host], args: ['--selinux', 'false'] });
  t.teardown(() => endDaemon(daemon));
  await daemon.cri.call('PullImage', { image: { image: busybox } });
  const pod = await runPod(daemon, 'off', podAsking({ level: 's0:c4,c5' }));
  const id = await runScript(daemon, pod, 'c', forever);
  t.is(await processLabel(daemon, id), labelOf(process.pid));
  t.false(readFileSync(`/proc/${await pidOf(daemon, id)}/mountinfo`, 'utf8').includes('context='));
  await removePod(daemon, pod.id);
});
