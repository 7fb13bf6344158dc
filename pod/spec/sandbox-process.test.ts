import test from 'ava';
import { decode } from '../../api/cri.ts';
import { sandboxProcessSpec } from './sandbox-process.ts';

const input = {
  sandbox: { id: 'a1', name: 'web', namespace: 'shop', uid: 'u', pausePid: 0, namespaces: { network: 'POD', pid: 'CONTAINER', ipc: 'POD' } as const },
  native: '/opt/berth/berth-native', netnsPath: '/run/netns/a1', cgroup: { driver: 'cgroupfs', parent: '/kubepods/pod1' } as const,
};

test('a sandbox process is the sandbox for the runtime, in the network of the pod, and runs nothing of an image', (t) => {
  t.like(sandboxProcessSpec(input), {
    process: { args: ['/berth-native', 'pause', 'sandbox'], noNewPrivileges: true },
    annotations: { 'io.kubernetes.cri.container-type': 'sandbox', 'io.kubernetes.cri.sandbox-id': 'a1', 'io.kubernetes.cri-o.ContainerType': 'sandbox' },
    linux: {
      cgroupsPath: '/kubepods/pod1/crio-a1',
      namespaces: [{ type: 'pid' }, { type: 'mount' }, { type: 'ipc' }, { type: 'uts' }, { type: 'network', path: '/run/netns/a1' }],
    },
  });
});

test('the runtime is told what the pod may use in sum', (t) => {
  const resources = { overhead: null, resources: { ...decode('LinuxContainerResources', Buffer.alloc(0)), cpu_quota: '50000', memory_limit_in_bytes: '1048576' } };
  t.like(sandboxProcessSpec({ ...input, sandbox: { ...input.sandbox, resources } }), {
    annotations: { 'io.kubernetes.cri.sandbox-cpu-quota': '50000', 'io.kubernetes.cri.sandbox-memory': '1048576' },
  });
});

test('its first process is the init of the pid namespace that the containers of a pod share, which they name by the same path', (t) => {
  const { linux } = sandboxProcessSpec({ ...input, sandbox: { ...input.sandbox, pausePid: 71 } }) as { linux: { namespaces: object[] } };
  t.deepEqual(linux.namespaces[0], { type: 'pid', path: '/proc/71/ns/pid' });
});

test("with the host's network it joins none", (t) => {
  const sandbox = { ...input.sandbox, namespaces: { ...input.sandbox.namespaces, network: 'NODE' as const } };
  const { linux } = sandboxProcessSpec({ ...input, sandbox }) as { linux: { namespaces: { type: string }[] } };
  t.false(linux.namespaces.some(({ type }) => type === 'network'));
});
