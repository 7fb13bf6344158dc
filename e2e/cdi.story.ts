import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { containerConfig, createContainer, exec, removePod, runPod, statusOf } from './harness/pod.ts';
import { until } from './harness/process.ts';
import { story } from './harness/story.ts';

const directory = mkdtempSync(join(tmpdir(), 'berth-cdi-'));
test.after.always(() => rmSync(directory, { recursive: true }));
const [lower, upper] = [join(directory, 'etc'), join(directory, 'run')];
for (const path of [lower, upper]) mkdirSync(path);
const stage = story({ daemon: { args: ['--cdi-spec-dirs', `${lower},${upper}`] } });

const trace = join(directory, 'hooks');
const hook = join(directory, 'hook');
writeFileSync(hook, `#!/bin/sh\ncat > /dev/null\necho "$1 $MARK" >> ${trace}\n`, { mode: 0o755 });
mkdirSync(join(directory, 'lib'));
writeFileSync(join(directory, 'lib/driver'), 'of the host');
writeFileSync(
  join(lower, 'vendor.yaml'),
  `
cdiVersion: "0.7.0"
kind: vendor.com/gpu
devices:
- name: "0"
  containerEdits:
    deviceNodes:
    - {path: /dev/gpu0, hostPath: /dev/fuse, permissions: r}
    env: [GPU=0]
- name: "1"
  containerEdits:
    deviceNodes:
    - {path: /dev/gpu1, hostPath: /dev/loop-control, fileMode: 0660, gid: 44}
    env: [GPU=1]
containerEdits:
  env: [DRIVER=5.0]
  additionalGids: [44]
  mounts:
  - {hostPath: ${directory}/lib, containerPath: /usr/lib/vendor, options: [ro, nosuid, nodev, rbind, rprivate]}
  hooks:
  - {hookName: createRuntime, path: ${hook}, args: [hook, made], env: [MARK=one]}
  - {hookName: poststop, path: ${hook}, args: [hook, gone], env: [MARK=two]}
`,
);
writeFileSync(join(lower, 'broken.json'), '{"cdiVersion": ');
const nic = (value: string): string =>
  JSON.stringify({ cdiVersion: '0.6.0', kind: 'vendor.com/nic', devices: [{ name: 'a', containerEdits: { env: [`NIC=${value}`] } }] });

async function shellIn(more: object): Promise<{ id: string; pod: string; sh: (script: string) => Promise<string> }> {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'cdi');
  const id = await createContainer(daemon, pod, containerConfig('c', ['sleep', '1000'], more));
  await daemon.cri.call('StartContainer', { container_id: id });
  return {
    id,
    pod: pod.id,
    sh: async (script) => {
      const { stdout, stderr } = await exec(daemon, id, script);
      return stdout + stderr;
    },
  };
}

const devices = (...names: string[]) => ({ CDI_devices: names.map((name) => ({ name })) });

test('a CDI device brings its node, environment, mounts, groups and hooks', async (t) => {
  const { daemon } = stage();
  const { id, pod, sh } = await shellIn(devices('vendor.com/gpu=0'));
  t.is(await sh('stat -c %t:%T /dev/gpu0; echo $GPU $DRIVER; cat /usr/lib/vendor/driver; ls /dev/gpu1 2>&1 | grep -c No'), 'a:e5\n0 5.0\nof the host1\n');
  t.regex(await sh('touch /usr/lib/vendor/x'), /Read-only file system/);
  t.is(await sh(': < /dev/gpu0 && echo opened'), 'opened\n');
  t.regex(await sh(': > /dev/gpu0'), /Operation not permitted/);
  t.regex(await sh('id -G'), /\b44\b/);
  t.true((await statusOf(daemon, id)).user.linux.supplemental_groups.includes('44'));
  t.is(readFileSync(trace, 'utf8'), 'made one\n');
  await removePod(daemon, pod);
  await until(() => readFileSync(trace, 'utf8') === 'made one\ngone two\n', 60_000, 'the poststop hook');
});

test('devices asked for by annotation, also twice, are there once each', async (t) => {
  const annotations = { 'cdi.k8s.io/plugin_a': 'vendor.com/gpu=0,vendor.com/gpu=1', 'cdi.k8s.io/plugin_b': 'vendor.com/gpu=1' };
  const { sh } = await shellIn({ annotations, ...devices('vendor.com/gpu=1') });
  t.is(await sh('stat -c "%n %a %g" /dev/gpu0 /dev/gpu1; echo $GPU'), '/dev/gpu0 600 0\n/dev/gpu1 660 44\n0\n');
});

test('files that come, change or go count from the next container on', async (t) => {
  const asked = devices('vendor.com/nic=a');
  await t.throwsAsync(shellIn(asked), { message: /vendor\.com\/nic=a is in no file of/ });
  writeFileSync(join(lower, 'nic.json'), nic('lower'));
  t.is(await (await shellIn(asked)).sh('echo $NIC'), 'lower\n');
  writeFileSync(join(upper, 'nic.json'), nic('upper'));
  t.is(await (await shellIn(asked)).sh('echo $NIC'), 'upper\n');
  writeFileSync(join(upper, 'other.json'), nic('other'));
  await t.throwsAsync(shellIn(asked), { message: /INVALID_ARGUMENT.*nic=a is in two files, .*nic\.json and .*other\.json/ });
  for (const path of [join(lower, 'nic.json'), join(upper, 'nic.json'), join(upper, 'other.json')]) rmSync(path);
});

test('a device that no file has is refused with the directories and what is wrong in them', async (t) => {
  await t.throwsAsync(shellIn(devices('vendor.com/gpu=9')), {
    message: new RegExp(`INVALID_ARGUMENT.*vendor.com/gpu=9 is in no file of ${lower}, ${upper}; ${lower}/broken.json cannot be read`),
  });
  await t.throwsAsync(shellIn(devices('gpu')), { message: /INVALID_ARGUMENT.*"gpu" is not VENDOR\/CLASS=DEVICE/ });
});
