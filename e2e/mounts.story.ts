import { execSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { mountDisk } from './harness/disk.ts';
import { containerConfig, createContainer, exec, podConfig, runPod, runScript, statusOf, type Pod } from './harness/pod.ts';
import { story } from './harness/story.ts';
import { tmpfs } from './harness/tmpfs.ts';
import { tool } from './harness/tools.ts';

const handlers = mkdtempSync(join(tmpdir(), 'berth-handlers-'));
const unaware = join(handlers, 'unaware');
writeFileSync(unaware, '#!/bin/sh\ncase " $* " in *" features "*) echo "{}" ;; *) exec runc "$@" ;; esac\n', { mode: 0o755 });
test.after.always(() => rmSync(handlers, { recursive: true }));

const stage = story({
  daemon: {
    args: [
      '--default-runtime', 'runc', '--runtime', `current=${tool('runc')}`, '--runtime', `unaware=${unaware}`,
      '--absent-mount-sources-to-reject', '/srv/berth-must-be-there,/srv/berth-and-this',
    ],
  },
});

const sleeping = ['sleep', '1000'];

async function podOf(handler: string): Promise<Pod> {
  const { daemon } = stage();
  const config = podConfig(daemon, `mounts-${handler || 'default'}`);
  const { pod_sandbox_id: id } = await daemon.cri.call('RunPodSandbox', { config, runtime_handler: handler });
  return { id, config };
}

/** Runs a container with that one mount and returns a shell in it. */
async function shellWith(pod: Pod, mount: object, more: object = {}): Promise<(script: string) => Promise<string>> {
  const { daemon } = stage();
  const config = containerConfig(`c${Math.random()}`, sleeping, { mounts: [mount], ...more });
  const container_id = await createContainer(daemon, pod, config);
  await daemon.cri.call('StartContainer', { container_id });
  return async (script) => {
    const { stdout, stderr } = await exec(daemon, container_id, script);
    return stdout + stderr;
  };
}

function directory(t: ExecutionContext): string {
  const path = mkdtempSync(join(tmpdir(), 'berth-mounts-'));
  t.teardown(() => rmSync(path, { recursive: true }));
  return path;
}

test('which handler mounts read-only recursively is told by the runtime behind it', async (t) => {
  const { runtime_handlers: found, features } = await stage().daemon.cri.call('Status', {});
  const recursive = Object.fromEntries(found.map((each) => [each.name, each.features.recursive_read_only_mounts]));
  t.deepEqual(recursive, { '': true, runc: true, current: true, unaware: false });
  t.true(features.mount_options);
});

for (const handler of ['runc', 'current']) {
  test(`read-only covers the mounts inside only when it is recursive (${handler})`, async (t) => {
    const { daemon } = stage();
    const host_path = tmpfs(t, daemon, `rro-${handler}`);
    tmpfs(t, host_path, 'inner');
    const pod = await podOf(handler);
    const mount = { container_path: '/mnt', host_path, readonly: true };
    const plain = await shellWith(pod, mount);
    t.regex(await plain('touch /mnt/x'), /Read-only file system/);
    t.is(await plain('touch /mnt/inner/x && echo written'), 'written\n');
    const recursive = await shellWith(pod, { ...mount, recursive_read_only: true });
    t.regex(await recursive('touch /mnt/x'), /Read-only file system/);
    t.regex(await recursive('touch /mnt/inner/x'), /Read-only file system/);
  });
}

test('a runtime that cannot mount read-only recursively is not asked to', async (t) => {
  const { daemon } = stage();
  const mounts = [{ container_path: '/mnt', host_path: '/tmp', readonly: true, recursive_read_only: true }];
  const create = createContainer(daemon, await podOf('unaware'), containerConfig('c', sleeping, { mounts }));
  t.regex((await t.throwsAsync(create)).message, /^2 UNKNOWN: RROUnsupported: .*\/mnt.*does not know the mount option rro/);
});

test('what the host mounts later shows where propagation was asked for, what the container mounts where both ways were', async (t) => {
  const { daemon } = stage();
  const host_path = tmpfs(t, daemon, 'shared', 'shared');
  mkdirSync(join(host_path, 'ours'));
  const pod = await runPod(daemon, 'propagation', {
    linux: { cgroup_parent: daemon.cgroupParent, security_context: { privileged: true, namespace_options: { pid: 1 } } },
  });
  const privileged = { linux: { security_context: { privileged: true, namespace_options: { pid: 1 } } } };
  const [alone, slave, both] = await Promise.all(
    ['PROPAGATION_PRIVATE', 'PROPAGATION_HOST_TO_CONTAINER', 'PROPAGATION_BIDIRECTIONAL'].map((propagation) =>
      shellWith(pod, { container_path: '/mnt', host_path, propagation }, privileged),
    ),
  );
  writeFileSync(join(tmpfs(t, host_path, 'later'), 'file'), 'here');
  t.is(await slave!('cat /mnt/later/file'), 'here');
  t.is(await both!('cat /mnt/later/file'), 'here');
  t.regex(await alone!('cat /mnt/later/file'), /No such file/);
  t.is(await slave!('mount -t tmpfs t /mnt/ours && echo slave > /mnt/ours/by'), '');
  t.throws(() => readFileSync(join(host_path, 'ours/by')), { code: 'ENOENT' });
  t.is(await both!('mount -t tmpfs t /mnt/ours && echo both > /mnt/ours/by'), '');
  t.is(readFileSync(join(host_path, 'ours/by'), 'utf8'), 'both\n');
});

test('propagation that the host path does not have is refused with what to do', async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'lonely');
  const host_path = tmpfs(t, daemon, 'lonely');
  const create = (propagation: string) =>
    createContainer(daemon, pod, containerConfig('c', sleeping, { mounts: [{ container_path: '/mnt', host_path, propagation }] }));
  await t.throwsAsync(create('PROPAGATION_BIDIRECTIONAL'), { message: /INVALID_ARGUMENT.*lonely.*mount --make-rshared/ });
  await t.throwsAsync(create('PROPAGATION_HOST_TO_CONTAINER'), { message: /INVALID_ARGUMENT.*lonely.*shared or slave mount/ });
});

test('noexec, nosuid and nodev hold inside the container', async (t) => {
  const host_path = directory(t);
  writeFileSync(join(host_path, 'run'), '#!/bin/sh\necho ran\n', { mode: 0o755 });
  const pod = await runPod(stage().daemon, 'options');
  const free = await shellWith(pod, { container_path: '/mnt', host_path });
  t.is(await free('/mnt/run'), 'ran\n');
  const bound = await shellWith(pod, { container_path: '/mnt', host_path, mount_options: ['noexec', 'nosuid', 'nodev'] });
  t.regex(await bound('/mnt/run'), /Permission denied/);
  t.regex(await bound('grep " /mnt " /proc/mounts'), /rw,nosuid,nodev,noexec/);
});

test('a host path may be a file, a link, or not there yet; the status shows it as it was asked for', async (t) => {
  const { daemon } = stage();
  const host = directory(t);
  writeFileSync(join(host, 'file'), 'text');
  symlinkSync('file', join(host, 'link'));
  const mounts = [
    { container_path: '/etc/asked', host_path: join(host, 'file'), readonly: true },
    { container_path: '/linked', host_path: join(host, 'link') },
    { container_path: '/made/', host_path: join(host, 'new/deep') },
  ];
  const pod = await runPod(daemon, 'sources');
  const id = await runScript(daemon, pod, 'c', 'cat /etc/asked /linked; touch /made/x; sleep 1000', { mounts });
  t.is((await exec(daemon, id, 'cat /etc/asked /linked; ls /made')).stdout, 'texttextx\n');
  t.regex((await exec(daemon, id, 'echo > /etc/asked')).stderr, /Read-only file system/);
  t.is(readFileSync(join(host, 'new/deep/x'), 'utf8'), '');
  t.deepEqual(
    (await statusOf(daemon, id)).mounts.map(({ host_path, container_path, readonly }) => ({ host_path, container_path, readonly })),
    mounts.map((mount) => ({ readonly: false, ...mount })),
  );
});

test('a host path that is not absolute or cannot be made is refused by name', async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'refused');
  const create = (host_path: string) =>
    createContainer(daemon, pod, containerConfig('c', sleeping, { mounts: [{ container_path: '/mnt', host_path }] }));
  await t.throwsAsync(create('tmp'), { message: /INVALID_ARGUMENT.*\/mnt.*"tmp" is not absolute/ });
  await t.throwsAsync(create('/proc/self/none/x'), { message: /INVALID_ARGUMENT.*\/mnt.*\/proc\/self\/none\/x cannot be used/ });
  await t.throwsAsync(create('/srv//berth-must-be-there'), { message: /INVALID_ARGUMENT.*berth-must-be-there cannot be used.*No such file/ });
});

test('no container path leads out of the container', async (t) => {
  const { daemon } = stage();
  const host_path = directory(t);
  writeFileSync(join(host_path, 'file'), 'inside');
  const pod = await runPod(daemon, 'escape');
  const up = await shellWith(pod, { container_path: `/../../..${host_path}-escaped`, host_path });
  t.is(await up(`cat ${host_path}-escaped/file`), 'inside');
  const out = `${host_path}/none`;
  symlinkSync(`/../../../../..${host_path}`, join(host_path, 'link'));
  const linked = await shellWith(pod, { container_path: '/mnt', host_path });
  t.regex(await linked('cat /mnt/link/file'), /No such file/);
  t.throws(() => readFileSync(out), { code: 'ENOENT' });
});

test('paths of mounts may hold blanks, line feeds, quotes and letters of any script; one with a NUL is refused', async (t) => {
  const { daemon } = stage();
  const odd = 'a b\n"c\\\t\u00fc\u{1f680}';
  const host_path = join(directory(t), odd);
  mkdirSync(host_path);
  writeFileSync(join(host_path, 'file'), 'odd');
  const pod = await runPod(daemon, 'odd-paths');
  const shared = tmpfs(t, daemon, `shared ${odd}`, 'shared');
  const mounts = [
    { host_path, container_path: `/${odd}`, readonly: true },
    { host_path: shared, container_path: '/shared', propagation: 'PROPAGATION_HOST_TO_CONTAINER' },
  ];
  const id = await createContainer(daemon, pod, containerConfig('c', sleeping, { mounts }));
  await daemon.cri.call('StartContainer', { container_id: id });
  const { stdout } = await daemon.cri.call('ExecSync', { container_id: id, cmd: ['cat', `/${odd}/file`], timeout: 10 });
  t.is(stdout.toString(), 'odd');
  writeFileSync(join(tmpfs(t, shared, 'later'), 'file'), 'here');
  t.is((await exec(daemon, id, 'cat /shared/later/file')).stdout, 'here');
  t.deepEqual((await statusOf(daemon, id)).mounts.map((mount) => mount.host_path), [host_path, shared]);
  for (const mount of [{ host_path: `${host_path}\0`, container_path: '/mnt' }, { host_path, container_path: '/m\0nt' }]) {
    const create = createContainer(daemon, pod, containerConfig('nul', sleeping, { mounts: [mount] }));
    await t.throwsAsync(create, { code: 3, message: /mount .*NUL/ });
  }
});

test('containers of a pod share its /dev/shm, whose size the pod may choose', async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'shm', { annotations: { 'io.kubernetes.cri-o.ShmSize': '16Mi' } });
  const writer = await runScript(daemon, pod, 'writer', 'echo shared > /dev/shm/file; sleep 1000');
  const reader = await runScript(daemon, pod, 'reader', 'sleep 1000');
  await exec(daemon, writer, 'until [ -s /dev/shm/file ]; do :; done');
  t.is((await exec(daemon, reader, 'cat /dev/shm/file')).stdout, 'shared\n');
  t.regex((await exec(daemon, reader, 'grep " /dev/shm " /proc/mounts')).stdout, /tmpfs.*nosuid,nodev,noexec.*size=16384k/);
  const other = await runPod(daemon, 'other-shm');
  const apart = await runScript(daemon, other, 'c', 'sleep 1000');
  const { stdout } = await exec(daemon, apart, 'ls /dev/shm; grep " /dev/shm " /proc/mounts');
  t.regex(stdout, /^tmpfs.*size=65536k/);
  await t.throwsAsync(runPod(daemon, 'no-size', { annotations: { 'io.kubernetes.cri-o.ShmSize': 'much' } }), {
    message: /INVALID_ARGUMENT.*ShmSize "much" is no size/,
  });
});

test("a tmpfs of the host, as the kubelet makes for volumes in memory, is that tmpfs inside, also in place of the pod's shm", async (t) => {
  const { daemon } = stage();
  const host_path = tmpfs(t, daemon, 'memory');
  const sh = await shellWith(await runPod(daemon, 'memory'), { container_path: '/dev/shm', host_path });
  t.is(await sh('echo kept > /dev/shm/file; stat -f -c %T /dev/shm'), 'tmpfs\n');
  t.is(readFileSync(join(host_path, 'file'), 'utf8'), 'kept\n');
});

test('huge pages of the host are huge pages inside', async (t) => {
  const { daemon } = stage();
  const host_path = tmpfs(t, daemon, 'huge', 'private', 'hugetlbfs');
  const sh = await shellWith(await runPod(daemon, 'huge'), { container_path: '/hugepages', host_path });
  t.regex(await sh('grep " /hugepages " /proc/mounts'), /hugetlbfs rw,.*pagesize=2M/);
});

test('volumes on a file system that hangs hold up nobody but the containers that mount them', async (t) => {
  const { daemon } = stage();
  const disk = join(daemon.directory, 'hanging-disk');
  const volume = join(daemon.directory, 'hanging');
  mkdirSync(volume);
  mountDisk(disk, volume, { size: '64M' });
  t.teardown(() => execSync(`umount ${volume}; rm ${disk}`));
  const pod = await runPod(daemon, 'hanging');
  // Thaws it also when this process dies meanwhile.
  const guard = spawn('sh', ['-c', `sleep 60; fsfreeze -u ${volume}`], { stdio: 'ignore', detached: true });
  execSync(`fsfreeze -f ${volume}`);
  let thawed = false;
  const stuck = Array.from({ length: 6 }, (_, at) => {
    const mounts = [{ container_path: '/mnt', host_path: join(volume, `made-${at}`) }];
    return createContainer(daemon, pod, containerConfig(`stuck-${at}`, sleeping, { mounts })).then(() => thawed);
  });
  try {
    const other = await runPod(daemon, 'not-hanging');
    const id = await runScript(daemon, other, 'c', 'sleep 1000', { mounts: [{ container_path: '/mnt', host_path: '/tmp' }] });
    t.is((await exec(daemon, id, 'echo well')).stdout, 'well\n');
  } finally {
    thawed = true;
    execSync(`fsfreeze -u ${volume}`);
    if (guard.pid !== undefined) process.kill(-guard.pid, 'SIGKILL');
  }
  t.deepEqual(await Promise.all(stuck), stuck.map(() => true));
});
