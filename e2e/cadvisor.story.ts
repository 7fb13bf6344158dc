import { existsSync, mkdtempSync, readlinkSync, rmSync, statSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { below } from './harness/files.ts';
import { runPod, runScript } from './harness/pod.ts';
import { story } from './harness/story.ts';

const directory = mkdtempSync(join(tmpdir(), 'berth-cadvisor-'));
const socketPath = join(directory, 'crio/crio.sock');
const stage = story({ daemon: { args: ['--cadvisor-socket', socketPath] } });
test.after.always('the socket is gone with the daemon', (t) => {
  t.false(existsSync(socketPath));
  rmSync(directory, { recursive: true });
});

test('cAdvisor is told whose cgroups there are, of containers and of the pod itself, also after a restart', async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'seen', { labels: { 'io.kubernetes.pod.name': 'seen' } });
  const id = await runScript(daemon, pod, 'c', 'sleep 1000', { labels: { 'io.kubernetes.container.name': 'c' } });
  await daemon.kill();
  await daemon.start();

  t.like((await ask('/info')).page, { storage_driver: 'overlay', storage_root: daemon.root });
  const { page } = await ask(`/containers/${id}`);
  t.like(page, { sandbox: pod.id, labels: { 'io.kubernetes.container.name': 'c' }, ip_addresses: [page['ip_addresses']?.[0]] });
  t.true(existsSync(`${page['root']}/diff`), 'no writable layer where cAdvisor measures it');
  const whole = await ask(`/containers/${pod.id}`);
  t.like(whole.page, { labels: { 'io.kubernetes.pod.name': 'seen', 'io.kubernetes.container.name': 'POD' } });
  t.true(existsSync(`${whole.page['root']}/diff`));
  const network = (pid: unknown): string => readlinkSync(`/proc/${pid}/ns/net`);
  t.is(network(whole.page['pid']), network(page['pid']));
  const cgroups = below('/sys/fs/cgroup').map((each) => each.path);
  for (const each of [id, pod.id]) {
    const names = ['', '.scope'].map((suffix) => `${daemon.cgroupParent}/crio-${each}${suffix}`);
    t.true(cgroups.some((path) => names.some((name) => path.endsWith(name))), each);
  }
});

test('only root may ask, and nothing else is answered', async (t) => {
  t.is(statSync(socketPath).mode & 0o777, 0o600);
  for (const path of ['/', '/containers/', `/containers/${'0'.repeat(64)}`, '/containers/../info', '/config'])
    t.is((await ask(path)).status, 404, path);
  t.is((await ask('/info', 'POST')).status, 405);
});

type Answer = { status: number | undefined; page: { ip_addresses?: string[]; [key: string]: unknown } };

function ask(path: string, method = 'GET'): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asking = request({ socketPath, path, method }, (reply) => {
      let text = '';
      reply.setEncoding('utf8').on('data', (part: string) => {
        text += part;
      });
      reply.once('end', () => resolve({ status: reply.statusCode, page: reply.statusCode === 200 ? JSON.parse(text) : {} }));
    });
    asking.once('error', reject);
    asking.end();
  });
}
