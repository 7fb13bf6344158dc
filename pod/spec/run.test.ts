import { execFileSync, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readFile } from 'node:fs/promises';
import test, { type ExecutionContext } from 'ava';
import { hierarchies } from '../../host/cgroup.ts';
import { containerConfig, secured, securedPod, specInput } from './example.ts';
import { gather, hostFacts } from './host-facts.ts';
import type { ContainerConfig } from '../../api/cri.ts';
import { containerSpec } from './spec.ts';

/** Runs a container with runc in namespaces of this process, from a root file system of busybox. */
async function run(
  t: ExecutionContext,
  config: ContainerConfig,
): Promise<{ status: number | null; stdout: string; stderr: string }> {
  const dir = mkdtempSync(join(tmpdir(), 'berth-spec-'));
  const id = randomBytes(32).toString('hex');
  const rootfs = join(dir, 'rootfs');
  for (const name of ['bin', 'etc', 'tmp', 'proc', 'sys', 'dev', 'shm'])
    mkdirSync(join(name === 'shm' ? dir : rootfs, name), { recursive: true });
  cpSync('/bin/busybox', join(rootfs, 'bin/busybox'));
  for (const applet of ['sh', 'id', 'cat', 'mount', 'hostname', 'touch', 'grep', 'ls', 'unshare'])
    symlinkSync('busybox', join(rootfs, 'bin', applet));
  for (const name of ['hosts', 'hostname', 'resolv.conf']) writeFileSync(join(dir, name), `pod ${name}\n`);
  const netns = `bs-${id.slice(0, 6)}`;
  execFileSync('ip', ['netns', 'add', netns]);
  t.teardown(() => {
    spawnSync('runc', ['--root', join(dir, 'runc'), 'delete', '--force', id]);
    execFileSync('ip', ['netns', 'del', netns]);
    rmSync(dir, { recursive: true });
  });
  const host = await hostFacts({
    cgroup: { driver: 'cgroupfs', host: hierarchies(readFileSync('/proc/self/mountinfo', 'utf8')) },
    defaultUlimits: [],
    idmapObstacle: '',
    selinux: null,
  });
  const privileged = config.linux?.security_context?.privileged === true;
  const base = specInput({ host, rootfs, found: await gather(config, privileged, (path) => readFile(path, 'utf8')) }, config);
  const { spec } = containerSpec({
    ...base,
    container: { id, config },
    sandbox: {
      ...base.sandbox,
      shimPid: process.pid,
      pausePid: process.pid,
      netnsPath: `/run/netns/${netns}`,
      shmPath: join(dir, 'shm'),
      cgroupParent: '/berth-spec-test',
      config: privileged ? securedPod({ privileged: true }) : base.sandbox.config,
      files: { hosts: join(dir, 'hosts'), hostname: join(dir, 'hostname'), resolvConf: join(dir, 'resolv.conf') },
    },
  });
  writeFileSync(join(dir, 'config.json'), JSON.stringify(spec));
  return spawnSync('runc', ['--root', join(dir, 'runc'), 'run', '--bundle', dir, id], { encoding: 'utf8' });
}

test.after.always(() => {
  for (const mount of hierarchies(readFileSync('/proc/self/mountinfo', 'utf8')).all)
    spawnSync('rmdir', [join(mount, 'berth-spec-test')]);
});

const RUNTIME_DEFAULT = { profile_type: 'RuntimeDefault', localhost_ref: '' } as const;

test.serial('a confined container runs as asked, with its files, limits and filter', async (t) => {
  const script =
    'id; cat /etc/hosts /etc/resolv.conf; grep -E "^(CapBnd|Seccomp|NoNewPrivs)" /proc/self/status; touch /x';
  const config = secured(
    {
      run_as_user: { value: '1000' },
      run_as_group: { value: '2000' },
      supplemental_groups: ['3000'],
      seccomp: RUNTIME_DEFAULT,
      no_new_privs: true,
      readonly_rootfs: true,
    },
    { command: ['sh', '-c', script] },
  );
  const { stdout, stderr } = await run(t, config);
  t.regex(stdout, /uid=1000 gid=2000 groups=2000,3000/);
  t.regex(stdout, /pod hosts\npod resolv.conf/);
  t.regex(stdout, /NoNewPrivs:\t1/);
  t.regex(stdout, /Seccomp:\t2/);
  t.regex(stdout, /CapBnd:\t00000000000005fb/);
  t.regex(stderr, /touch: \/x: Read-only file system/);
});

test.serial('with limits, devices and a mount of the host it runs too', async (t) => {
  const resources = {
    cpu_period: '100000',
    cpu_quota: '50000',
    cpu_shares: '512',
    memory_limit_in_bytes: String(64 << 20),
    oom_score_adj: '-997',
    cpuset_cpus: '',
    cpuset_mems: '',
    hugepage_limits: [{ page_size: '2MB', limit: '0' }],
    unified: { 'memory.high': '1' },
    memory_swap_limit_in_bytes: String(64 << 20),
  };
  const mount = {
    container_path: '/mnt/etc/',
    host_path: '/etc',
    readonly: true,
    selinux_relabel: false,
    propagation: 'PROPAGATION_PRIVATE',
    uidMappings: [],
    gidMappings: [],
    recursive_read_only: false,
    image: null,
    image_sub_path: '',
    mount_options: ['noexec', 'nosuid'],
  } as const;
  const config = containerConfig({
    command: ['sh', '-c', 'mount | grep /mnt/etc; ls -l /dev/loop-here; ls /mnt/etc/passwd'],
    mounts: [{ ...mount, uidMappings: [], gidMappings: [], mount_options: [...mount.mount_options] }],
    devices: [{ host_path: '/dev/loop-control', container_path: '/dev/loop-here', permissions: 'r' }],
    linux: { resources, security_context: null },
  });
  const { stdout, stderr, status } = await run(t, config);
  t.is(status, 0, stderr);
  t.regex(stdout, /on \/mnt\/etc .*\(ro,.*nosuid.*noexec/);
  t.regex(stdout, /10, 237 .*\/dev\/loop-here/);
});

test.serial('a privileged container has the devices and the capabilities of the daemon', async (t) => {
  const script =
    'ls /dev/loop-control /dev/null; grep -E "^(CapEff|Seccomp):" /proc/self/status; mount | grep " /sys "';
  const { stdout, stderr } = await run(
    t,
    secured({ privileged: true, seccomp: RUNTIME_DEFAULT }, { command: ['sh', '-c', script] }),
  );
  const own = /^CapBnd:\t(\S+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1];
  t.regex(stdout, /\/dev\/loop-control/, stderr);
  t.regex(stdout, new RegExp(`CapEff:\t${own}`));
  t.regex(stdout, /Seccomp:\t0/);
  t.regex(stdout, /on \/sys type sysfs \(rw/);
});
