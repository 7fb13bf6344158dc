import { existsSync } from 'node:fs';
import test from 'ava';
import { startDaemon, discard, type Daemon } from './harness/daemon.ts';
import { containerConfig, createContainer, exec, removePod, runPod } from './harness/pod.ts';
import { story } from './harness/story.ts';

const image = 'docker.io/berth/declares:1';
const stage = story({ images: [image] });

async function shellIn(daemon: Daemon, more: object = {}): Promise<{ pod: string; sh: (script: string) => Promise<string> }> {
  const pod = await runPod(daemon, 'declares');
  const container_id = await createContainer(daemon, pod, containerConfig('c', ['sleep', '1000'], { image: { image }, ...more }));
  await daemon.cri.call('StartContainer', { container_id });
  return {
    pod: pod.id,
    sh: async (script) => {
      const { stdout, stderr } = await exec(daemon, container_id, script);
      return stdout + stderr;
    },
  };
}

const readOnlyRoot = { linux: { security_context: { readonly_rootfs: true, namespace_options: { pid: 1 } } } };
const asUser = { linux: { security_context: { run_as_user: { value: '33' }, namespace_options: { pid: 1 } } } };

test("the directories of an image's volumes are there, those that were missing belong to the container's user", async (t) => {
  const { sh } = await shellIn(stage().daemon, asUser);
  t.is(await sh('stat -c "%u %a" /data /run/made /new'), '33 750\n33 755\n33 755\n');
  t.is(await sh('cat /data/shipped; echo x > /run/made/x && cat /run/made/x'), 'with the imagex\n');
});

test('no link of an image leads a volume out of the container', async (t) => {
  const { sh } = await shellIn(stage().daemon);
  t.is(await sh('ls -d /berth-outside/made'), '/berth-outside/made\n');
  t.false(existsSync('/berth-outside'));
});

test('a mount of the pod takes the place of a volume', async (t) => {
  const { sh } = await shellIn(stage().daemon, { mounts: [{ container_path: '/data', host_path: '/proc/sys/kernel', readonly: true }] });
  t.regex(await sh('cat /data/ostype; ls /data/shipped'), /^Linux\n.*No such file/);
});

async function withPolicy(policy: string, test: (daemon: Daemon) => Promise<void>): Promise<void> {
  const daemon = await startDaemon({ registries: [stage().registry.host], args: ['--image-volumes', policy, '--metrics-address', ''] });
  try {
    await daemon.cri.call('PullImage', { image: { image } });
    await test(daemon);
  } finally {
    for (const { id } of (await daemon.cri.call('ListPodSandbox', {})).items) await removePod(daemon, id);
    await daemon.stop();
    discard(daemon);
  }
}

test('bound volumes can be written in a read-only root and hold what the image shipped there', async (t) => {
  await withPolicy('bind', async (daemon) => {
    const { sh } = await shellIn(daemon, readOnlyRoot);
    t.regex(await sh('touch /x'), /Read-only file system/);
    t.is(await sh('cat /data/shipped; echo new > /data/new; cat /data/new; touch /run/made/x && echo made'), 'with the imagenew\nmade\n');
    t.regex(await sh('grep " /data " /proc/mounts'), /rw,nodev/);
    const again = await shellIn(daemon, readOnlyRoot);
    t.is(await again.sh('ls /data'), 'shipped\n');
  });
});

test('ignored volumes are not made', async (t) => {
  await withPolicy('ignore', async (daemon) => {
    const { sh } = await shellIn(daemon, readOnlyRoot);
    t.regex(await sh('ls -d /new'), /No such file/);
    t.regex(await sh('touch /data/x'), /Read-only file system/);
  });
});
