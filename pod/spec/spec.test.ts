import test from 'ava';
import { containerConfig, secured, securedPod, specInput } from './example.ts';
import { containerSpec } from './spec.ts';

test('a container that asks for nothing is confined and joins its pod', (t) => {
  const { spec, user } = containerSpec(specInput());
  t.deepEqual(user, { uid: 0, gid: 0, groups: [0] });
  t.deepEqual(spec.process, {
    user: { uid: 0, gid: 0, additionalGids: [0] },
    args: ['sh'],
    env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'HOSTNAME=web-host'],
    cwd: '/',
    capabilities: spec.process.capabilities,
    noNewPrivileges: false,
    oomScoreAdj: 0,
  });
  t.deepEqual(spec.linux.namespaces, [
    { type: 'mount' },
    { type: 'cgroup' },
    { type: 'network', path: '/run/netns/web' },
    { type: 'uts', path: '/proc/100/ns/uts' },
    { type: 'ipc', path: '/proc/100/ns/ipc' },
    { type: 'pid', path: '/proc/101/ns/pid' },
  ]);
  t.is(spec.linux.cgroupsPath, `/kubepods/pod1/crio-${'c'.repeat(64)}`);
  t.deepEqual(spec.linux.resources, { devices: [{ allow: false, access: 'rwm' }] });
  t.is(spec.linux.seccomp, undefined, 'no profile asked for means none');
  t.true(spec.linux.maskedPaths.includes('/proc/kcore'));
  t.deepEqual(spec.root, { path: '/rootfs', readonly: false });
});

test('a privileged container sees everything, but only in a privileged pod', (t) => {
  const config = secured({ privileged: true, seccomp: { profile_type: 'RuntimeDefault', localhost_ref: '' } });
  t.throws(() => containerSpec(specInput({}, config)), { message: /not allowed in sandbox/ });
  const base = specInput({}, config);
  const { spec } = containerSpec({ ...base, sandbox: { ...base.sandbox, config: securedPod({ privileged: true }) } });
  t.deepEqual(spec.process.capabilities.bounding, base.host.capabilities);
  t.deepEqual([spec.linux.maskedPaths, spec.linux.readonlyPaths, spec.linux.seccomp], [[], [], undefined]);
  t.deepEqual(spec.linux.resources.devices, [{ allow: true, access: 'rwm' }]);
  for (const place of ['/sys', '/sys/fs/cgroup']) {
    t.true(spec.mounts.find(({ destination }) => destination === place)?.options.includes('rw'), place);
  }
});

test('a privileged container of a handler that keeps host devices from it may use only what it asks for', (t) => {
  const base = specInput({ handler: { privilegedWithoutHostDevices: true } }, secured({ privileged: true }));
  const { spec } = containerSpec({ ...base, sandbox: { ...base.sandbox, config: securedPod({ privileged: true }) } });
  t.deepEqual(spec.linux.resources.devices, [{ allow: false, access: 'rwm' }]);
  t.deepEqual(spec.linux.maskedPaths, []);
});

test("host namespaces are left out, and with the host's network the container bears the host's name", (t) => {
  const options = { network: 'NODE', pid: 'NODE', ipc: 'NODE', target_id: '', userns_options: null } as const;
  const base = specInput({}, secured({ namespace_options: options }));
  const { spec } = containerSpec({
    ...base,
    sandbox: { ...base.sandbox, config: securedPod({ namespace_options: options }) },
  });
  t.deepEqual(
    spec.linux.namespaces.map(({ type }) => type),
    ['mount', 'cgroup'],
  );
  t.true(spec.process.env.includes('HOSTNAME=node1'));
  t.is(spec.mounts.find(({ destination }) => destination === '/dev/shm')?.source, '/dev/shm');
});

test("the pid namespace is the pod's, the container's own, or another container's", (t) => {
  const pidOf = (pid: 'POD' | 'CONTAINER' | 'TARGET' | 'NODE', targetPid?: number) => {
    const namespace_options = { network: 'POD', pid, ipc: 'POD', target_id: 'other', userns_options: null } as const;
    const input = specInput(targetPid === undefined ? {} : { targetPid }, secured({ namespace_options }));
    return containerSpec(input).spec.linux.namespaces.find(({ type }) => type === 'pid');
  };
  t.deepEqual(pidOf('POD'), { type: 'pid', path: '/proc/101/ns/pid' });
  t.deepEqual(pidOf('CONTAINER'), { type: 'pid' });
  t.deepEqual(pidOf('TARGET', 77), { type: 'pid', path: '/proc/77/ns/pid' });
  t.throws(() => pidOf('TARGET'), { message: /does not run/ });
  t.throws(() => pidOf('NODE'), { message: /mode NODE is for sandboxes/ });
});

test('a systemd driver gets slice, prefix and id', (t) => {
  const base = specInput();
  const sandbox = { ...base.sandbox, cgroupParent: '/kubepods.slice/kubepods-pod1.slice' };
  const { spec } = containerSpec({ ...base, sandbox, host: { ...base.host, cgroupDriver: 'systemd' } });
  t.is(spec.linux.cgroupsPath, `kubepods-pod1.slice:crio:${'c'.repeat(64)}`);
});

test("what the pod's author annotates never reaches the OCI runtime", (t) => {
  const { spec } = containerSpec(
    specInput({}, containerConfig({ annotations: { 'run.oci.keep_original_groups': '1' } })),
  );
  t.is(spec.annotations['run.oci.keep_original_groups'], undefined);
  t.is(spec.annotations['io.kubernetes.cri.sandbox-id'], 'a'.repeat(64));
  t.is(spec.annotations['io.kubernetes.cri-o.ContainerType'], 'container');
});
