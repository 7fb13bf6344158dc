import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { busybox, containerConfig, createContainer, runPod, runScript, statusOf } from './harness/pod.ts';
import { story } from './harness/story.ts';
import { tool } from './harness/tools.ts';

const stage = story({ daemon: { args: ['--default-runtime', 'runc', '--runtime', `other=${tool('runc')}`] } });

test('the version names the API that the kubelet speaks, and a semantic version of the runtime', async (t) => {
  const version = await stage().daemon.cri.call('Version', {});
  t.is(version.version, '0.1.0');
  t.is(version.runtime_api_version, 'v1');
  t.is(version.runtime_name, 'berth');
  t.regex(version.runtime_version, /^\d+\.\d+\.\d+/);
});

test('the cgroup driver that is told is the one that containers are put with', async (t) => {
  const { daemon } = stage();
  const { linux } = await daemon.cri.call('RuntimeConfig', {});
  const pod = await runPod(daemon, 'driver');
  const id = await runScript(daemon, pod, 'c', 'sleep 1000');
  const { info } = await daemon.cri.call('ContainerStatus', { container_id: id, verbose: true });
  const { pid } = JSON.parse(info['info'] ?? '{}') as { pid: number };
  const path = readFileSync(`/proc/${pid}/cgroup`, 'utf8');
  t.regex(path, linux?.cgroup_driver === 'SYSTEMD' ? new RegExp(`crio-${id}\\.scope`) : new RegExp(`/crio-${id}$`, 'm'));
});

test('the status tells conditions, handlers with their features, and the configuration when asked', async (t) => {
  const { daemon } = stage();
  const plain = await daemon.cri.call('Status', {});
  t.deepEqual(plain.info, {});
  t.deepEqual(plain.status.conditions.map((one) => [one.type, one.status, one.reason, one.message]), [
    ['RuntimeReady', true, '', ''],
    ['NetworkReady', true, '', ''],
  ]);
  t.deepEqual(plain.runtime_handlers.map((one) => one.name).sort(), ['', 'other', 'runc']);
  t.true(plain.runtime_handlers.every((one) => one.features !== null));
  t.true(plain.features?.supplemental_groups_policy);
  const { info } = await daemon.cri.call('Status', { verbose: true });
  const config = JSON.parse(info['config'] ?? '{}') as Record<string, string>;
  t.is(config['stateDir'], daemon.state);
  t.true(existsSync(config['stateDir'] ?? ''));
});

test('what CRI-O leaves empty is filled: handler, stop signal, user, resources, mounts', async (t) => {
  const { daemon } = stage();
  const asked = { config: { metadata: { name: 'filled', uid: 'filled', namespace: 'e2e', attempt: 0 }, linux: { cgroup_parent: daemon.cgroupParent } }, runtime_handler: 'other' };
  const { pod_sandbox_id } = await daemon.cri.call('RunPodSandbox', asked);
  const pod = { id: pod_sandbox_id, config: { ...asked.config, log_directory: '' } };
  const found = (await daemon.cri.call('PodSandboxStatus', { pod_sandbox_id })).status;
  t.is(found.runtime_handler, 'other');
  t.deepEqual((await daemon.cri.call('ListPodSandbox', {})).items.map((one) => one.runtime_handler), ['other']);
  const source = join(daemon.directory, 'source');
  mkdirSync(source, { recursive: true });
  const config = containerConfig('c', ['sleep', '1000'], {
    log_path: '',
    mounts: [{ host_path: source, container_path: '/mounted', readonly: true }],
    linux: {
      resources: { memory_limit_in_bytes: 64 << 20, cpu_shares: 300 },
      security_context: { run_as_user: { value: 33 }, run_as_group: { value: 44 }, supplemental_groups: [55], namespace_options: { pid: 1 } },
    },
  });
  const status = await statusOf(daemon, await createContainer(daemon, pod, config));
  t.is(status.stop_signal, 'SIGNAL_SIGTERM');
  t.deepEqual([status.user.linux.uid, status.user.linux.gid], ['33', '44']);
  t.true(status.user.linux.supplemental_groups.includes('55'));
  t.like(status.resources?.linux, { memory_limit_in_bytes: `${64 << 20}`, cpu_shares: '300' });
  t.like(status.mounts[0], { container_path: '/mounted', host_path: source, readonly: true });
  const named = await statusOf(daemon, await createContainer(daemon, pod, { ...config, metadata: { name: 'd' }, stop_signal: 'SIGNAL_SIGUSR1' }));
  t.is(named.stop_signal, 'SIGNAL_SIGUSR1');
});

test('an image has the same id everywhere', async (t) => {
  const { daemon } = stage();
  const { image_ref: id } = await daemon.cri.call('PullImage', { image: { image: busybox } });
  const pod = await runPod(daemon, 'ids');
  const container = await runScript(daemon, pod, 'c', 'sleep 1000');
  const status = await statusOf(daemon, container);
  const [listed] = (await daemon.cri.call('ListContainers', {})).containers;
  const image = (await daemon.cri.call('ImageStatus', { image: { image: busybox } })).image;
  const images = (await daemon.cri.call('ListImages', {})).images.map((one) => one.id);
  t.deepEqual([status.image_id, listed?.image_id, image?.id, ...images], [id, id, id, id]);
  t.is(listed?.image_ref, status.image_ref);
  t.true(image?.repo_digests.includes(status.image_ref));
  for (const name of [id, status.image_ref]) t.is((await daemon.cri.call('ImageStatus', { image: { image: name } })).image?.id, id);
});
