import { mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { containerConfig, createContainer, exec, podConfig, runPod, type Pod } from './harness/pod.ts';
import { story } from './harness/story.ts';

const directory = mkdtempSync(join(tmpdir(), 'berth-devices-'));
test.after.always(() => rmSync(directory, { recursive: true }));
symlinkSync('/dev/loop-control', join(directory, 'link'));
writeFileSync(join(directory, 'file'), '');
const config = join(directory, 'berth.toml');
writeFileSync(
  config,
  '[runtimes.runc]\npath = "/usr/sbin/runc"\n[runtimes.modest]\npath = "/usr/sbin/runc"\nprivileged-without-host-devices = true\n',
);
const stage = story({ daemon: { args: ['--config', config, '--default-runtime', 'runc'] } });

const own = { namespace_options: { pid: 1 } };
const privileged = { linux: { security_context: { privileged: true, ...own } } };

async function shellIn(pod: Pod, more: object): Promise<(script: string) => Promise<string>> {
  const { daemon } = stage();
  const container_id = await createContainer(daemon, pod, containerConfig('c', ['sleep', '1000'], more));
  await daemon.cri.call('StartContainer', { container_id });
  return async (script) => {
    const { stdout, stderr } = await exec(daemon, container_id, script);
    return stdout + stderr;
  };
}

async function privilegedPod(runtime_handler: string): Promise<Pod> {
  const { daemon } = stage();
  const config = podConfig(daemon, 'privileged', { linux: { ...privileged.linux, cgroup_parent: daemon.cgroupParent } });
  const { pod_sandbox_id: id } = await daemon.cri.call('RunPodSandbox', { config, runtime_handler });
  return { id, config };
}

test('a device is there under the asked name, with its mode, and only the asked accesses are allowed', async (t) => {
  const devices = [
    { host_path: '/dev/fuse', container_path: '/dev/read-only', permissions: 'r' },
    { host_path: join(directory, 'link'), container_path: '/dev/by/link', permissions: 'rw' },
  ];
  const sh = await shellIn(await runPod(stage().daemon, 'devices'), { devices });
  t.is(await sh('stat -c %t:%T /dev/read-only /dev/by/link'), 'a:e5\na:ed\n');
  t.is(await sh('stat -c %a /dev/read-only'), `${(statSync('/dev/fuse').mode & 0o777).toString(8)}\n`);
  t.is(await sh(': < /dev/read-only && echo opened'), 'opened\n');
  t.regex(await sh(': > /dev/read-only'), /Operation not permitted/);
  t.is(await sh(': > /dev/by/link && echo opened'), 'opened\n');
});

test('a device that nobody asked for cannot be used, not even through a node that root makes', async (t) => {
  const sh = await shellIn(await runPod(stage().daemon, 'no-device'), {});
  t.regex(await sh('mknod /made c 10 229 && : < /made'), /Operation not permitted/);
  t.regex(await sh('cat /dev/fuse'), /No such file/);
});

test('a directory stands for all devices below it', async (t) => {
  const sh = await shellIn(await runPod(stage().daemon, 'directory'), { devices: [{ host_path: '/dev/net', container_path: '/dev/ours', permissions: 'rw' }] });
  t.is(await sh('ls /dev/ours'), 'tun\n');
});

test('a device that is not there is refused by name', async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'missing');
  const create = (host_path: string) =>
    createContainer(daemon, pod, containerConfig('c', ['sleep', '1'], { devices: [{ host_path, container_path: '/dev/x', permissions: 'rw' }] }));
  await t.throwsAsync(create('/dev/none'), { message: /INVALID_ARGUMENT.*device \/dev\/none cannot be found on the host/ });
  await t.throwsAsync(create(join(directory, 'file')), { message: /INVALID_ARGUMENT.*file: that is no device/ });
});

test("a privileged container has the host's devices, unless its handler keeps them from it", async (t) => {
  const all = await shellIn(await privilegedPod('runc'), privileged);
  t.is(await all('ls -d /dev/fuse /dev/net/tun; mknod /made c 10 229 && : > /made && echo opened'), '/dev/fuse\n/dev/net/tun\nopened\n');
  const devices = [{ host_path: '/dev/net/tun', container_path: '/dev/net/tun', permissions: 'rw' }];
  const modest = await shellIn(await privilegedPod('modest'), { ...privileged, devices });
  t.regex(await modest('ls /dev/fuse'), /No such file/);
  t.is(await modest('ls /dev/net/tun'), '/dev/net/tun\n');
  t.regex(await modest('mknod /made c 10 229 && : > /made'), /Operation not permitted/);
});
