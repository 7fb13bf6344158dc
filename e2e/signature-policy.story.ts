import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { berth, mustBerth } from './harness/cli.ts';
import { busybox, containerConfig, createContainer, runPod } from './harness/pod.ts';
import { story } from './harness/story.ts';

const data = 'docker.io/berth/data-flat:1';
const folder = mkdtempSync(join(tmpdir(), 'berth-policy-'));
test.after.always(() => rmSync(folder, { recursive: true, force: true }));

const accept = [{ type: 'insecureAcceptAnything' }];
function writePolicy(scopes: Record<string, object[]>, file = 'policy.json'): void {
  writeFileSync(join(folder, file), JSON.stringify({ default: accept, transports: { docker: scopes } }));
}
mkdirSync(join(folder, 'namespaces'));
writePolicy({});

const stage = story({ images: [busybox, data], daemon: { args: ['--signature-policy', join(folder, 'policy.json'), '--signature-policy-dir', join(folder, 'namespaces')] } });
test.afterEach.always(() => {
  writePolicy({});
  rmSync(join(folder, 'namespaces/e2e.json'), { force: true });
});

const refusal = /^2 UNKNOWN: SignatureValidationFailed: .*the policy rejects it/;

test.serial('a pull that the policy forbids fails under the prefix that the kubelet looks for', async (t) => {
  const { daemon } = stage();
  writePolicy({ 'docker.io/berth': [{ type: 'reject' }] });
  await t.throwsAsync(daemon.cri.call('PullImage', { image: { image: 'docker.io/berth/plain:1' } }), { message: refusal });
  await daemon.cri.call('PullImage', { image: { image: busybox } });
});

test.serial('a container of an image that is here is refused once the policy forbids it, by name and by id, and nothing of it is left', async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'forbidden');
  const { image } = await daemon.cri.call('ImageStatus', { image: { image: busybox } });
  writePolicy({ 'registry.k8s.io': [{ type: 'reject' }] });
  for (const spec of [{ image: busybox }, { image: image?.id }, { image: image?.id, user_specified_image: busybox }]) {
    await t.throwsAsync(createContainer(daemon, pod, containerConfig('c', ['sh'], { image: spec })), { message: refusal });
  }
  t.deepEqual((await daemon.cri.call('ListContainers', {})).containers, []);
  writePolicy({});
  await createContainer(daemon, pod, containerConfig('c', ['sh']));
});

test.serial('the policy of the pod\'s namespace holds instead, for images mounted as volumes too', async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'namespaced');
  writePolicy({ 'docker.io/berth/data-flat': [{ type: 'reject' }] }, 'namespaces/e2e.json');
  const mounts = [{ container_path: '/vol', image: { image: data }, readonly: true }];
  await t.throwsAsync(createContainer(daemon, pod, containerConfig('c', ['sh'], { mounts })), { message: refusal });
  await createContainer(daemon, pod, containerConfig('c', ['sh']));
});

test.serial('berth load is told in one line that the policy lets no archive in, and loads what it lets in', async (t) => {
  const { daemon } = stage();
  const archive = join(folder, 'saved.tar');
  await mustBerth(daemon, 'save', '-o', archive, data);
  await mustBerth(daemon, 'rmi', data);
  writeFileSync(join(folder, 'policy.json'), JSON.stringify({ default: accept, transports: { 'oci-archive': { '': [{ type: 'reject' }] } } }));
  const { code, stderr } = await berth(daemon, 'load', '-i', archive);
  t.is(code, 1);
  t.regex(stderr, /^berth load: .*cannot load the archive: image docker\.io\/berth\/data-flat:1: the policy rejects it\n$/);
  writePolicy({});
  t.is((await mustBerth(daemon, 'load', '-i', archive)).split(' ')[1], data);
});
