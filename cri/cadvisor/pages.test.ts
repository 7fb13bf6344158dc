import test from 'ava';
import { encode } from '../../api/cri.ts';
import type { Container, Sandbox } from '../../pod/record.ts';
import { containerPage, infoPage, sandboxPage } from './pages.ts';

const roots = { root: '/var/lib/berth', state: '/run/berth', netnsDir: '/run/netns' };
const sandbox = {
  id: 'b'.repeat(64), name: 'web', namespace: 'shop', uid: 'u-1', attempt: 2, createdAtNs: '1790000000000000001',
  labels: { 'io.kubernetes.pod.name': 'web' }, annotations: {}, logDirectory: '/var/log/pods/web', shimPid: 41, networkReleased: false,
  namespaces: { network: 'POD', pid: 'CONTAINER', ipc: 'POD' }, attachment: { ips: ['10.88.0.4'] },
} as unknown as Sandbox;
const container = {
  id: 'c'.repeat(64), sandboxId: sandbox.id, name: 'server', attempt: 1, state: 'running', pid: 42, createdAtNs: '1790000000000000003',
  labels: { 'io.kubernetes.container.name': 'server' }, annotations: { 'io.kubernetes.container.restartCount': '1' },
  imageId: 'sha256:1', logPath: '/var/log/pods/web/server/1.log',
  config: encode('ContainerConfig', {
    image: { image: 'sha256:1', user_specified_image: 'docker.io/library/nginx:1' },
    envs: [{ key: 'PASSWORD', value: Buffer.from('hunter2') }],
  }),
} as unknown as Container;

test('the runtime is told in the keys that cAdvisor reads', (t) => {
  t.like(JSON.parse(infoPage(roots, 'systemd')), { storage_driver: 'overlay', storage_root: '/var/lib/berth', cgroup_driver: 'systemd' });
});

test('a container is told with its pod, image and labels, and without its environment', (t) => {
  const page = containerPage(roots, container, sandbox);
  t.deepEqual(JSON.parse(page), {
    created_time: Number('1790000000000000003'),
    name: 'k8s_server_web_shop_u-1_1', pid: 42, image: 'docker.io/library/nginx:1', image_ref: 'sha256:1',
    labels: container.labels, annotations: container.annotations, crio_annotations: {},
    log_path: '/var/log/pods/web/server/1.log', root: `/var/lib/berth/containers/${container.id}`, sandbox: sandbox.id,
    ip_addresses: ['10.88.0.4'], host_network: false,
  });
  t.true(page.includes('"created_time":1790000000000000003,'), 'the time is rounded');
  t.false(page.includes('hunter2'));
});

test('a container that has ended has no process', (t) => {
  t.like(JSON.parse(containerPage(roots, { ...container, state: 'exited' }, sandbox)), { pid: 0 });
});

test('a pod is its own container POD, whose process is in its network until that is given back', (t) => {
  t.like(JSON.parse(sandboxPage(roots, sandbox)), {
    name: 'k8s_POD_web_shop_u-1_2', pid: 41, sandbox: sandbox.id,
    labels: { 'io.kubernetes.pod.name': 'web', 'io.kubernetes.container.name': 'POD' },
  });
  t.like(JSON.parse(sandboxPage(roots, { ...sandbox, networkReleased: true })), { pid: 0 });
});
