import test from 'ava';
import type { Sandbox } from '../record.ts';
import { podConfig } from './example.ts';
import { sandboxView } from './sandbox-view.ts';

const sandbox = {
  id: 'a1', name: 'web', namespace: 'shop', uid: 'u', handler: 'crun', cgroupParent: '/kubepods/pod1', logDirectory: '/var/log/pods/web',
  namespaces: { network: 'POD', pid: 'POD', ipc: 'POD' }, shimPid: 7, pausePid: 8,
  attachment: { resultJson: '{"ips":[]}', ips: ['10.0.0.2', 'fd00::2'] }, user: { path: '/proc/7/fd/9', mappings: { uids: [], gids: [] } },
} as unknown as Sandbox;

test("a pod is shown with its network, namespaces and cgroup under CRI-O's names", (t) => {
  t.like(sandboxView(sandbox, podConfig({ hostname: 'web-0' }), '/run/netns/a1'), {
    hostname: 'web-0',
    annotations: {
      'io.kubernetes.cri-o.SandboxID': 'a1',
      'io.kubernetes.cri-o.CgroupParent': '/kubepods/pod1',
      'io.kubernetes.cri-o.CNIResult': '{"ips":[]}',
      'io.kubernetes.cri-o.IP.0': '10.0.0.2',
      'io.kubernetes.cri-o.IP.1': 'fd00::2',
      'io.kubernetes.pod.namespace': 'shop',
    },
    linux: {
      namespaces: [
        { type: 'network', path: '/run/netns/a1' },
        { type: 'uts', path: '/proc/7/ns/uts' },
        { type: 'ipc', path: '/proc/7/ns/ipc' },
        { type: 'pid', path: '/proc/8/ns/pid' },
        { type: 'user', path: '/proc/7/fd/9' },
      ],
    },
  });
});

test("a pod in the host's namespaces is shown without any of its own", (t) => {
  const host = { ...sandbox, namespaces: { network: 'NODE', pid: 'NODE', ipc: 'NODE' }, pausePid: 0, attachment: null, user: null } as Sandbox;
  const view = sandboxView(host, podConfig(), '') as { annotations: Record<string, string> };
  t.like(view, { hostname: undefined, linux: { namespaces: [] } });
  t.is(view.annotations['io.kubernetes.cri-o.HostNetwork'], 'true');
  t.false('io.kubernetes.cri-o.CNIResult' in view.annotations);
});
