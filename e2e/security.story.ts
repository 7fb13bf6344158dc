import { mkdirSync, readdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import test from 'ava';
import { containerConfig, createContainer, exec, exitOf, podConfig, runPod, runScript, statusOf, type Pod } from './harness/pod.ts';
import { story } from './harness/story.ts';
import { tool } from './harness/tools.ts';

const predefined = 'gcr.io/k8s-staging-cri-tools/test-image-predefined-group:latest';
const nnp = 'registry.k8s.io/e2e-test-images/nonewprivs:1.3';
const busybox = 'registry.k8s.io/e2e-test-images/busybox:1.29-2';
const stage = story({ images: [busybox, predefined, nnp], daemon: { args: ['--runtime', `current=${tool('runc')}`, '--default-ulimits', 'nofile=1234:2345,core=0'] } });

/** A container with these fields of its security context. */
const secured = (security: object, more: object = {}) => ({
  linux: { security_context: { namespace_options: { pid: 1 }, ...security } },
  ...more,
});

/** What a script prints in a container of its own with that security context, as its process and as an exec. */
async function shell(name: string, security: object, more: object = {}): Promise<{ id: string; pod: Pod; sh: (script: string) => Promise<string> }> {
  const { daemon } = stage();
  const pod = await runPod(daemon, name);
  const id = await runScript(daemon, pod, 'c', 'cat /proc/self/status > /tmp/status; sleep 1000', secured(security, more));
  return {
    id,
    pod,
    sh: async (script) => {
      const { stdout, stderr } = await exec(daemon, id, script);
      return stdout + stderr;
    },
  };
}

const refusedContainers: [string, object, RegExp][] = [
  ['a group without a user', { run_as_group: { value: '5' } }, /run_as_group is set without/],
  ['a user that the image lacks', { run_as_username: 'nobody-here' }, /user nobody-here is not in/],
  ['a capability that Linux lacks', { capabilities: { add_capabilities: ['FLY'] } }, /capability FLY is not known/],
  ['a privileged container in a plain pod', { privileged: true }, /not allowed in sandbox/],
  ['a seccomp profile that is not there', { seccomp: { profile_type: 'Localhost', localhost_ref: '/nowhere.json' } }, /cannot be read/],
  ['a seccomp profile by a relative path', { seccomp: { profile_type: 'Localhost', localhost_ref: 'x.json' } }, /not an absolute path/],
  ['a seccomp profile that is a directory', { seccomp: { profile_type: 'Localhost', localhost_ref: '/etc' } }, /no regular file/],
  ['a seccomp profile of an unknown form', { seccomp_profile_path: 'whatever' }, /none of runtime\/default/],
  ['the pid namespace of no container', { namespace_options: { pid: 3, target_id: 'f'.repeat(64) } }, /not in sandbox/],
  ['the host pid namespace in a pod without it', { namespace_options: { pid: 2 } }, /made with it/],
];
for (const [what, security, message] of refusedContainers) {
  test(`a container is refused that asks for ${what}`, async (t) => {
    const { daemon } = stage();
    const pod = await runPod(daemon, 'refuses');
    await t.throwsAsync(createContainer(daemon, pod, containerConfig('c', ['true'], secured(security))), { code: 3, message });
  });
}

for (const policy of ['Merge', 'Strict'] as const) {
  test(`groups with policy ${policy} are those of the first process, of execs and of the status`, async (t) => {
    const { id, sh } = await shell(policy.toLowerCase(), { supplemental_groups: ['1234'], supplemental_groups_policy: policy }, { image: { image: predefined } });
    const groups = policy === 'Merge' ? ['1000', '50000', '1234'] : ['1000', '1234'];
    t.deepEqual((await sh('id -G')).trim().split(' ').sort(), groups.toSorted());
    t.deepEqual((await sh('grep Groups /tmp/status')).trim().split(/\s+/).slice(1).sort(), groups.toSorted());
    const { user } = await statusOf(stage().daemon, id);
    t.deepEqual([user?.linux?.uid, user?.linux?.gid, user?.linux?.supplemental_groups.toSorted()], ['1000', '1000', groups.toSorted()]);
  });
}

test("names and numbers of users come from the container's configuration, then from its image", async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'users');
  const asked: [string, object, string][] = [
    ['named', { run_as_username: 'www-data' }, '33:33'],
    ['numbered', { run_as_user: { value: '33' } }, '33:33'],
    ['grouped', { run_as_user: { value: '33' }, run_as_group: { value: '7' } }, '33:7'],
  ];
  for (const [name, security, expected] of asked) {
    const id = await runScript(daemon, pod, name, 'sleep 1000', secured(security));
    t.is((await exec(daemon, id, 'echo $(id -u):$(id -g)')).stdout, `${expected}\n`, name);
  }
});

const bit = (name: number): bigint => 1n << BigInt(name);
const [CHOWN, NET_RAW, NET_BIND_SERVICE, SYS_TIME] = [bit(0), bit(13), bit(10), bit(25)] as const;
const own = BigInt(`0x${/^CapBnd:\s*(\w+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]}`);

test('capabilities are added and dropped in any spelling, all of them both ways, and never exceed those of the daemon', async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'caps');
  const bounding = async (name: string, capabilities: object): Promise<bigint> => {
    const id = await runScript(daemon, pod, name, 'sleep 1000', secured({ capabilities }));
    const status = (await exec(daemon, id, 'cat /proc/1/status')).stdout;
    return BigInt(`0x${/^CapBnd:\s*(\w+)/m.exec(status)?.[1]}`);
  };
  const plain = await bounding('plain', {});
  t.is(plain & (NET_RAW | SYS_TIME), 0n);
  t.is(await bounding('spelt', { add_capabilities: ['cap_net_raw', 'Sys_Time'], drop_capabilities: ['CAP_CHOWN'] }), (plain | NET_RAW | SYS_TIME) & ~CHOWN);
  t.is(await bounding('all', { add_capabilities: ['ALL'] }), own);
  t.is(await bounding('all-but', { add_capabilities: ['all'], drop_capabilities: ['NET_RAW'] }), own & ~NET_RAW);
  t.is(await bounding('none', { drop_capabilities: ['ALL'] }), 0n);
  t.is(await bounding('one', { drop_capabilities: ['ALL'], add_capabilities: ['NET_BIND_SERVICE'] }), NET_BIND_SERVICE);
});

test('a plain user has no capabilities but the ambient ones', async (t) => {
  const { sh } = await shell('ambient', { run_as_user: { value: '33' }, capabilities: { add_ambient_capabilities: ['NET_RAW'] } });
  const sets = await sh('grep -E "Cap(Eff|Amb)" /proc/self/status');
  t.regex(sets, new RegExp(`CapEff:\\s+0*${NET_RAW.toString(16)}\\nCapAmb:\\s+0*${NET_RAW.toString(16)}\\n`));
});

test('no_new_privs keeps a setuid program from becoming root, and without it it does', async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'nnp');
  const uid = async (no_new_privs: boolean): Promise<string> => {
    const id = await runScript(daemon, pod, `nnp-${no_new_privs}`, 'sleep 1000', secured({ run_as_user: { value: '1000' }, no_new_privs }, { image: { image: nnp } }));
    return (await exec(daemon, id, '/nnp')).stdout;
  };
  t.regex(await uid(true), /uid: 1000/);
  t.regex(await uid(false), /uid: 0/);
});

test('the root can be read-only, and paths masked or read-only as asked or by default', async (t) => {
  const { sh } = await shell('paths', { readonly_rootfs: false });
  t.is(await sh('cat /proc/keys | wc -c; ls /sys/firmware | wc -l'), '0\n0\n');
  t.regex(await sh('echo 1 > /proc/sys/kernel/panic'), /Read-only file system/);
  const whole = await shell('whole', { readonly_rootfs: true });
  t.regex(await whole.sh('touch /x'), /Read-only file system/);
  const some = await shell('some', { masked_paths: ['/etc/passwd'], readonly_paths: ['/tmp'] });
  t.regex(await some.sh('cat /etc/passwd; touch /tmp/x'), /^touch: .*Read-only file system/);
});

test('a profile of the node decides about system calls, RuntimeDefault keeps the dangerous from root, Unconfined nothing', async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'seccomp');
  const profile = join(daemon.directory, 'profile.json');
  writeFileSync(profile, JSON.stringify({ defaultAction: 'SCMP_ACT_ALLOW', syscalls: [{ names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO' }] }));
  const mode = async (name: string, security: object): Promise<string> => {
    const capabilities = { add_capabilities: ['NET_RAW'] };
    const id = await runScript(daemon, pod, name, 'sleep 1000', secured({ ...security, capabilities }));
    return (await exec(daemon, id, 'grep ^Seccomp: /proc/1/status; mkdir /d 2>&1; unshare -m true 2>&1')).stdout;
  };
  const filtered = /^Seccomp:\t2\n/;
  for (const [name, security] of [['new', { seccomp: { profile_type: 'Localhost', localhost_ref: profile } }], ['old', { seccomp_profile_path: `localhost/${profile}` }]] as const) {
    t.regex(await mode(name, security), /^Seccomp:\t2\nmkdir: .*Operation not permitted/);
  }
  t.regex(await mode('default', { seccomp: { profile_type: 'RuntimeDefault' } }), filtered);
  t.regex(await mode('old-default', { seccomp_profile_path: 'runtime/default' }), filtered);
  for (const [name, security] of [['none', {}], ['unconfined', { seccomp: { profile_type: 'Unconfined' } }], ['old-unconfined', { seccomp_profile_path: 'unconfined' }]] as const) {
    t.regex(await mode(name, security), /^Seccomp:\t0\n/, name);
  }
  writeFileSync(profile, 'garbage');
  const broken = containerConfig('broken', ['true'], secured({ seccomp: { profile_type: 'Localhost', localhost_ref: profile } }));
  await t.throwsAsync(createContainer(daemon, pod, broken), { code: 3, message: /is not JSON/ });
  spawnSync('mkfifo', [join(daemon.directory, 'fifo')]);
  const stuck = containerConfig('stuck', ['true'], secured({ seccomp: { profile_type: 'Localhost', localhost_ref: join(daemon.directory, 'fifo') } }));
  await t.throwsAsync(createContainer(daemon, pod, stuck), { code: 3, message: /no regular file/ });
});

test('a privileged container has the devices, the capabilities and the writable kernel file systems of the daemon, and no filter', async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'privileged', {
    linux: { cgroup_parent: daemon.cgroupParent, security_context: { privileged: true, namespace_options: { pid: 1 } } },
  });
  const id = await runScript(daemon, pod, 'c', 'sleep 1000', secured({ privileged: true, seccomp: { profile_type: 'RuntimeDefault' } }));
  const { stdout } = await exec(daemon, id, 'grep -E "^(CapBnd|Seccomp):" /proc/1/status; grep -E " /sys (sysfs )?" /proc/mounts | cut -d" " -f4 | cut -d, -f1; ls -d /dev/loop-control /sys/kernel/*');
  t.regex(stdout, new RegExp(`CapBnd:\\s+0*${own.toString(16)}\\n`));
  t.regex(stdout, /Seccomp:\t0\n/);
  t.regex(stdout, /^rw$/m);
  t.regex((await exec(daemon, id, 'cat /proc/sys/kernel/panic > /tmp/p && cat /tmp/p > /proc/sys/kernel/panic && echo written')).stdout, /written/);
});

test("a container sees the processes of a target of its own pod, and no other pod's", async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'target');
  const target = await runScript(daemon, pod, 'target', 'exec sleep 4321');
  const options = { namespace_options: { pid: 3, target_id: target } };
  const id = await runScript(daemon, pod, 'looks', 'sleep 1000', secured(options));
  t.regex((await exec(daemon, id, 'ps -o args')).stdout, /sleep 4321/);
  const other = await runPod(daemon, 'other');
  await t.throwsAsync(createContainer(daemon, other, containerConfig('c', ['true'], secured(options))), { code: 3, message: /not in sandbox/ });
  await daemon.cri.call('StopContainer', { container_id: target, timeout: 0 });
  await t.throwsAsync(createContainer(daemon, pod, containerConfig('late', ['true'], secured(options))), { code: 3, message: /does not run/ });
});

const refusedPods: [string, object, RegExp][] = [
  ['a sysctl of the host', { sysctls: { 'vm.swappiness': '1' } }, /vm\.swappiness: not held by any namespace/],
  ["a network sysctl with the host's network", { sysctls: { 'net.ipv4.ip_forward': '1' }, security_context: { namespace_options: { network: 2 } } }, /host's namespace/],
  ["an ipc sysctl with the host's ipc", { sysctls: { 'kernel.shmmax': '1' }, security_context: { namespace_options: { ipc: 2 } } }, /host's namespace/],
  ['a sysctl by a path that leaves', { sysctls: { 'net/../kernel/panic': '1' } }, /not a sysctl's name/],
  ['a group without a user', { security_context: { run_as_group: { value: '1' } } }, /run_as_group is set without/],
  ['a cgroup that leaves', { cgroup_parent: '/a/../../b' }, /leaves the hierarchy/],
];
for (const [what, linux, message] of refusedPods) {
  test(`a pod is refused that asks for ${what}`, async (t) => {
    const { daemon } = stage();
    const config = podConfig(daemon, 'refused', { linux: { cgroup_parent: daemon.cgroupParent, ...linux } });
    await t.throwsAsync(daemon.cri.call('RunPodSandbox', { config }), { code: 3, message });
  });
}

const escapes: [string, object, RegExp][] = [
  ['a hostname of two lines', { hostname: 'a\n10.0.0.1 bank' }, /hostname/],
  ['a name server of two lines', { dns_config: { servers: ['10.0.0.1\noptions debug'] } }, /dns_config/],
  ['logs elsewhere', { log_directory: '/tmp/../etc/berth-logs' }, /log_directory/],
];
for (const [what, more, message] of escapes) {
  test(`a pod is refused that asks for ${what}`, async (t) => {
    const { daemon } = stage();
    await t.throwsAsync(daemon.cri.call('RunPodSandbox', { config: { ...podConfig(daemon, 'escapes'), ...more } }), { code: 3, message });
  });
}

test('a log is written where the pod has its logs and nowhere else, whatever the path says and whatever lies there', async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'logs');
  for (const log_path of ['../escaped.log', 'a/../../escaped.log', 'two\nlines.log']) {
    await t.throwsAsync(createContainer(daemon, pod, containerConfig('c', ['true'], { log_path })), { code: 3, message: /log path/ }, log_path);
  }
  const victim = join(daemon.directory, 'victim');
  mkdirSync(victim);
  writeFileSync(join(victim, 'file'), 'untouched');
  symlinkSync(join(victim, 'file'), join(pod.config.log_directory, 'linked.log'));
  symlinkSync(join(victim), join(pod.config.log_directory, 'folder'));
  for (const log_path of ['linked.log', 'folder/file', 'folder/new.log']) {
    const linked = createContainer(daemon, pod, containerConfig('linked', ['echo', 'x'], { log_path }));
    await t.throwsAsync(linked, { message: /open log .*symbolic link/ }, log_path);
  }
  t.deepEqual(readdirSync(victim), ['file']);
  t.is(readFileSync(join(victim, 'file'), 'utf8'), 'untouched');
});

test('a log whose folder is replaced by a link while the container runs is not reopened elsewhere', async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'swapped');
  const folder = join(pod.config.log_directory, 'c');
  mkdirSync(folder);
  const container_id = await runScript(daemon, pod, 'c', 'sleep 1000', { log_path: 'c/0.log' });
  const victim = join(daemon.directory, 'swapped-to');
  mkdirSync(victim);
  renameSync(folder, `${folder}.away`);
  symlinkSync(victim, folder);
  await t.throwsAsync(daemon.cri.call('ReopenContainerLog', { container_id }), { message: /symbolic link/ });
  t.deepEqual(readdirSync(victim), []);
});

test('links of the node lead to the folder of the logs', async (t) => {
  const { daemon } = stage();
  const real = join(daemon.directory, 'real-logs');
  mkdirSync(real);
  symlinkSync('real-logs', join(daemon.directory, 'linked-logs'));
  const log_directory = join(daemon.directory, 'linked-logs/pods/one');
  const pod = await runPod(daemon, 'linked', { log_directory });
  const id = await runScript(daemon, pod, 'c', 'echo said', { log_path: 'c.log' });
  await exitOf(daemon, id);
  t.regex(readFileSync(join(real, 'pods/one/c.log'), 'utf8'), /stdout F said\n$/);
  t.is((await statusOf(daemon, id)).log_path, join(log_directory, 'c.log'));
});

test('a container cannot write the OCI runtime that starts it, nor the own programs of the daemon', async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'overwrite');
  const id = await runScript(daemon, pod, 'c', 'sleep 1000');
  const before = ['/usr/sbin/runc'].map((path) => readFileSync(path).length);
  // Each exec of /proc/self/exe runs the runtime's own program, if it could be had that way.
  const attempts = Array.from({ length: 5 }, () =>
    daemon.cri.call('ExecSync', { container_id: id, cmd: ['/proc/self/exe', 'init'], timeout: 5 }).then(
      ({ stderr }) => stderr.toString(),
      (error: Error) => error.message,
    ),
  );
  const writer = exec(daemon, id, 'for i in $(seq 200); do for p in /proc/[0-9]*/exe; do case $(readlink $p) in *busybox*|/bin/*) ;; ?*) true > $p && echo WRITTEN $(readlink $p);; esac; done; done 2>/dev/null; echo done', 30);
  const [said] = await Promise.all([writer, ...attempts]);
  t.is(said.stdout, 'done\n');
  t.deepEqual(['/usr/sbin/runc'].map((path) => readFileSync(path).length), before);
});

test('every container has the limits of getrlimit that the operator set, as far as the daemon may set them', async (t) => {
  const { sh } = await shell('rlimits', {});
  t.is(await sh('ulimit -Sn; ulimit -Hn; ulimit -Sc; ulimit -Hc'), '1234\n2345\n0\n0\n');
});

test('with procMount Unmasked nothing of /proc is hidden in a pod with a user namespace, and with Default it is', async (t) => {
  const { daemon } = stage();
  const userns_options = { mode: 0, uids: [{ host_id: 2_000_000, container_id: 0, length: 65_536 }], gids: [{ host_id: 2_000_000, container_id: 0, length: 65_536 }] };
  const linux = { cgroup_parent: daemon.cgroupParent, security_context: { namespace_options: { pid: 1, userns_options } } };
  const config = podConfig(daemon, 'proc-mount', { linux });
  const { pod_sandbox_id } = await daemon.cri.call('RunPodSandbox', { config, runtime_handler: 'current' });
  const pod = { id: pod_sandbox_id, config };
  const hidden = async (name: string, security: object): Promise<string> => {
    const id = await runScript(daemon, pod, name, 'sleep 1000', secured({ namespace_options: { pid: 1, userns_options }, ...security }));
    return (await exec(daemon, id, 'grep -cE " /proc/[a-z]+" /proc/self/mounts; true')).stdout.trim();
  };
  t.is(await hidden('unmasked', { masked_paths: [], readonly_paths: [] }), '0');
  t.is(await hidden('default', { masked_paths: ['/proc/keys', '/proc/timer_list'], readonly_paths: ['/proc/sys'] }), '3');
});
