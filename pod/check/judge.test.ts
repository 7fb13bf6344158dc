import test from 'ava';
import type { Container, Sandbox } from '../record.ts';
import { judgeState } from './judge.ts';
import type { ContainerSeen, PodSeen, StateSeen } from './look.ts';

const roots = { root: '/root', state: '/state', netnsDir: '/netns' };
const attachment = { network: 'n', ifName: 'eth0', configJson: '', resultJson: '', ips: [], portMappings: [] };
const sandbox = { id: 'p', state: 'ready', namespaces: { network: 'POD', pid: 'POD', ipc: 'POD' }, networkReleased: false, attachment, cgroupParent: '/pod' } as unknown as Sandbox;
const container = { id: 'c', sandboxId: 'p', state: 'running', pid: 7 } as Container;
const podWhole: PodSeen = { shim: true, netns: true, cgroup: true, noted: true };
const whole: ContainerSeen = { bundle: true, rootfs: true, writable: true, cgroup: true, process: true };
const nothing: StateSeen = { pods: new Map(), containers: new Map(), sockets: [], podFolders: [], bundles: [], writables: [], noted: [], mounts: [], cgroups: [] };

function kinds(seen: Partial<StateSeen>, records: { sandboxes?: Sandbox[]; containers?: Container[] } = {}): string[] {
  const { sandboxes = [sandbox], containers = [container] } = records;
  const all = { ...nothing, pods: new Map([['p', podWhole]]), containers: new Map([['c', whole]]), ...seen };
  return judgeState(all, { roots, sandboxes, containers }).map(({ kind }) => kind);
}
const pod = (lacks: Partial<PodSeen>): Partial<StateSeen> => ({ pods: new Map([['p', { ...podWhole, ...lacks }]]) });
const one = (lacks: Partial<ContainerSeen>): Partial<StateSeen> => ({ containers: new Map([['c', { ...whole, ...lacks }]]) });

test('what is whole is no problem', (t) => {
  t.deepEqual(kinds({ sockets: ['p'], podFolders: ['p'], bundles: ['c'], writables: ['c'], noted: ['p'], mounts: ['/state/pods/p/shm', '/state/containers/c/rootfs'] }), []);
});

test('each thing that a ready pod or a live container lacks has a kind of its own', (t) => {
  t.deepEqual(kinds(pod({ shim: false })), ['pod-shim']);
  t.deepEqual(kinds(pod({ netns: false })), ['pod-netns']);
  t.deepEqual(kinds(pod({ cgroup: false })), ['pod-cgroup']);
  t.deepEqual(kinds(pod({ noted: false })), ['pod-network']);
  t.deepEqual(kinds(one({ bundle: false })), ['container-bundle']);
  t.deepEqual(kinds(one({ rootfs: false })), ['container-rootfs']);
  t.deepEqual(kinds(one({ writable: false })), ['container-layer']);
  t.deepEqual(kinds(one({ cgroup: false })), ['container-cgroup']);
});

test('what has ended, is being made or never had a network of its own lacks nothing', (t) => {
  const none = { pods: new Map([['p', { shim: false, netns: false, cgroup: false, noted: false }]]), containers: new Map([['c', { bundle: false, rootfs: false, writable: false, cgroup: false, process: false }]]) };
  for (const state of ['creating', 'stopped'] as const) {
    for (const other of ['creating', 'exited'] as const) t.deepEqual(kinds(none, { sandboxes: [{ ...sandbox, state }], containers: [{ ...container, state: other }] }), []);
  }
  const onHost = { ...sandbox, namespaces: { ...sandbox.namespaces, network: 'NODE' as const } };
  t.deepEqual(kinds(pod({ netns: false, noted: false }), { sandboxes: [onHost] }), []);
  t.deepEqual(kinds(one({ cgroup: false, process: false })), [], 'a process that has ended leaves no cgroup, and its exit is on its way');
});

test('a container whose pod has no record is named', (t) => {
  t.deepEqual(kinds({}, { sandboxes: [] }), ['container-pod']);
});

test('what has no record is named by its kind, a cgroup with processes without a repair', (t) => {
  const cgroup = { path: '/pod/crio-x', id: 'x', hasProcesses: false };
  t.deepEqual(
    kinds({ sockets: ['x'], podFolders: ['x'], bundles: ['x'], writables: ['x', 'y'], noted: ['x'], mounts: ['/state/x', '/state/containers/x/rootfs'], cgroups: [cgroup] }),
    ['orphan-shim', 'orphan-network', 'orphan-pod', 'orphan-container', 'orphan-container', 'orphan-mount', 'orphan-cgroup'],
  );
  const repairs = [false, true].map((hasProcesses) => judgeState({ ...nothing, cgroups: [{ ...cgroup, hasProcesses }] }, { roots, sandboxes: [], containers: [] })[0]?.repair);
  t.deepEqual(repairs, ['remove it', '']);
});
