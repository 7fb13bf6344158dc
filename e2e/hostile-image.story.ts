import { existsSync, rmSync, writeFileSync } from 'node:fs';
import test from 'ava';
import { containerConfig, createContainer, exec, runPod, runScript, statusOf } from './harness/pod.ts';
import { story } from './harness/story.ts';

const accounts = ['link', 'fifo', 'device', 'huge'] as const;
const imageOf = (name: string): string => `docker.io/berth/${name}:1`;
const stage = story({ images: [...accounts.map((name) => imageOf(`accounts-${name}`)), imageOf('workdir-link')] });

const hostFile = '/etc/berth-host-accounts';
test.before(() => writeFileSync(hostFile, 'evil:x:0:0::/:\n'));
test.after.always(() => rmSync(hostFile, { force: true }));

const as = (name: string, user: object) => ({
  image: { image: imageOf(`accounts-${name}`) },
  linux: { security_context: { namespace_options: { pid: 1 }, ...user } },
});

test("an image whose /etc/passwd leads to the host's has no accounts", async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'link');
  const named = containerConfig('named', ['sh'], as('link', { run_as_username: 'evil' }));
  await t.throwsAsync(createContainer(daemon, pod, named), { code: 3, message: /user evil is not in the image's \/etc\/passwd/ });
  const id = await runScript(daemon, pod, 'numbered', 'sleep 1000', as('link', { run_as_user: { value: '1234' } }));
  t.deepEqual((await statusOf(daemon, id)).user, { linux: { uid: '1234', gid: '0', supplemental_groups: ['0'] } });
  t.is((await exec(daemon, id, 'id -u')).stdout, '1234\n');
});

for (const name of ['fifo', 'device']) {
  test(`an image whose /etc/passwd is a ${name} is refused at once, with the reason`, async (t) => {
    const { daemon } = stage();
    const pod = await runPod(daemon, name);
    for (const user of [{ run_as_username: 'evil' }, { run_as_user: { value: '1234' } }]) {
      const config = containerConfig('c', ['sh'], as(name, user));
      await t.throwsAsync(createContainer(daemon, pod, config), { code: 3, message: /\/etc\/passwd of the image is a pipe or a device/ });
    }
  });
}

test('an image whose /etc/passwd is huge has no accounts', async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'huge');
  const named = containerConfig('named', ['sh'], as('huge', { run_as_username: 'evil' }));
  await t.throwsAsync(createContainer(daemon, pod, named), { code: 3, message: /user evil is not in/ });
});

test('a working directory behind a link is made inside the container', async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'workdir');
  const id = await runScript(daemon, pod, 'c', 'sleep 1000', { image: { image: imageOf('workdir-link') } });
  t.is((await exec(daemon, id, 'pwd -P; ls -d /berth-outside/new')).stdout, '/berth-outside/new\n/berth-outside/new\n');
  t.false(existsSync('/berth-outside'));
});
