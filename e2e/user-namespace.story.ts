import { chownSync, mkdtempSync, statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import test from 'ava';
import { echoIn } from './harness/echo.ts';
import { containerConfig, createContainer, exec, exitOf, logLines, podConfig, runPod, runScript, statusOf } from './harness/pod.ts';
import { freePort, until } from './harness/process.ts';
import { story } from './harness/story.ts';
import { startCrictl } from './harness/streams.ts';
import { tool } from './harness/tools.ts';

const runc = tool('runc');
const runtimes = ['--runtime', `runc=${runc}`, '--runtime', 'old=/usr/sbin/runc', '--default-runtime', 'runc'];
const stage = story({ daemon: { args: runtimes } });

const range = { container_id: 0, host_id: 300_000, length: 65_536 };
const user = { mode: 'POD', uids: [range], gids: [{ ...range, host_id: 400_000 }] };

/** Fields of a pod, and of its containers, with a user namespace; `more` are further namespace options. */
const own = (daemon: { cgroupParent: string }, more: object = {}) => ({
  linux: { cgroup_parent: daemon.cgroupParent, security_context: { namespace_options: { pid: 'POD', ...more, userns_options: user } } },
});
const inside = (more: object = {}, security: object = {}) => ({
  linux: { security_context: { namespace_options: { pid: 'POD', ...more, userns_options: user }, ...security } },
});

test('root of a pod with a user namespace is nobody on the host, and owns its files, pipes and shared memory all the same', async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'mapped', own(daemon));
  const id = await runScript(daemon, pod, 'main', 'echo started > /dev/stdout; sleep 1000', inside());
  const facts = await exec(daemon, id, 'id -u; cat /proc/self/uid_map /proc/self/gid_map; stat -c %u:%g / /etc/passwd /etc/hosts /dev/shm');
  t.deepEqual(facts.stdout.split(/\s+/).filter(Boolean), [
    '0', '0', '300000', '65536', '0', '400000', '65536', '0:0', '0:0', '0:0', '0:0',
  ]);
  t.is((await exec(daemon, id, 'echo x > /new && chown 33:33 /etc/passwd /new && stat -c %u:%g /etc/passwd /new')).stdout, '33:33\n33:33\n');
  t.is((await exec(daemon, id, 'echo word > /dev/stderr')).stderr, 'word\n');
});

test('sysctls, message queues, the hostname and ports of such a pod are its own', async (t) => {
  const { daemon } = stage();
  const more = { sysctls: { 'net.ipv4.ip_unprivileged_port_start': '80', 'kernel.shm_rmid_forced': '1', 'fs.mqueue.msg_max': '20' } };
  const config = own(daemon);
  const pod = await runPod(daemon, 'sysctls', { linux: { ...config.linux, ...more } });
  const id = await runScript(daemon, pod, 'main', 'sleep 1000', inside());
  const { stdout } = await exec(
    daemon,
    id,
    'cat /proc/sys/net/ipv4/ip_unprivileged_port_start /proc/sys/kernel/shm_rmid_forced /proc/sys/fs/mqueue/msg_max; hostname; ' +
      'touch /dev/mqueue/q && stat -c %u /dev/mqueue; grep -c mqueue /proc/mounts',
  );
  t.deepEqual(stdout.split('\n').slice(0, -1), ['80', '1', '20', 'sysctls', '0', '1']);
});

test('a volume shows the ids of its files as the pod has them, and files made there are plain on the host', async (t) => {
  const { daemon } = stage();
  const volume = mkdtempSync(join(daemon.directory, 'volume-'));
  writeFileSync(join(volume, 'roots'), '');
  writeFileSync(join(volume, 'of33'), '');
  chownSync(join(volume, 'of33'), 33, 33);
  const pod = await runPod(daemon, 'volumes', own(daemon));
  const mount = { container_path: '/v', host_path: volume, uidMappings: user.uids, gidMappings: user.gids };
  const id = await runScript(daemon, pod, 'main', 'sleep 1000', { ...inside(), mounts: [mount] });
  t.is((await exec(daemon, id, 'stat -c %u:%g /v/roots /v/of33; touch /v/new; chown 33:33 /v/roots')).stdout, '0:0\n33:33\n');
  t.deepEqual(['new', 'roots'].map((name) => statSync(join(volume, name)).uid), [0, 33]);
});

test('an image as a volume has the ids of the pod, and so have directories that an image declares', async (t) => {
  const { daemon } = stage();
  const image = 'docker.io/berth/layers:1';
  const declares = 'docker.io/berth/declares:1';
  for (const each of [image, declares]) await daemon.cri.call('PullImage', { image: { image: each } });
  const pod = await runPod(daemon, 'images', own(daemon));
  const mount = { container_path: '/v', image: { image }, readonly: true, uidMappings: user.uids, gidMappings: user.gids };
  const id = await runScript(daemon, pod, 'main', 'sleep 1000', { ...inside(), mounts: [mount] });
  t.is((await exec(daemon, id, 'stat -c %u:%g /v /v/data/kept /v/owned')).stdout, '0:0\n0:0\n33:33\n');
  const other = await runScript(daemon, pod, 'other', 'sleep 1000', { ...inside(), image: { image: declares } });
  t.is((await exec(daemon, other, 'stat -c %u:%g /data /new')).stdout, '33:33\n0:0\n');
});

test('attach, port-forward, statistics and terminals work in it, and a restarted daemon goes on with it', async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'streams', own(daemon));
  const id = await runScript(daemon, pod, 'main', 'while read line; do echo heard $line; done', { ...inside(), stdin: true });
  await daemon.kill();
  await daemon.start();
  const attached = startCrictl(daemon, 'attach', '-i', id);
  attached.stdin.write('word\n');
  await until(() => attached.stdout().includes('heard word'), 60_000, 'the attached client to be heard');
  attached.child.kill();
  t.is((await exec(daemon, id, 'id -u')).stdout, '0\n');

  await echoIn(t, pod, '127.0.0.1', 8080);
  const port = await freePort();
  const forward = startCrictl(daemon, 'port-forward', pod.id, `${port}:8080`);
  t.teardown(() => forward.child.kill('SIGKILL'));
  await until(() => forward.stdout().includes('Forwarding from'), 60_000, 'crictl to listen');
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  socket.end('question');
  t.is(await text(socket), 'heard question');

  const { stats } = await daemon.cri.call('ContainerStats', { container_id: id });
  t.true(Number(stats.memory?.working_set_bytes?.value) > 0);
  t.is((await statusOf(daemon, id)).state, 'CONTAINER_RUNNING');
  await daemon.cri.call('StopContainer', { container_id: id, timeout: 1 });
  t.is((await exitOf(daemon, id)).exit_code, 143);

  await runScript(daemon, pod, 'second', 'test -t 0 && echo a terminal', { ...inside(), tty: true, stdin: true });
  t.regex((await logLines(pod, 'second', 1)).join(), /a terminal/);
});

test("a pod with the host's network and a user namespace has the host's addresses and no power over them", async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'hostnet', own(daemon, { network: 'NODE' }));
  const id = await runScript(daemon, pod, 'main', 'sleep 1000', inside({ network: 'NODE' }, { capabilities: { add_capabilities: ['NET_ADMIN'] } }));
  const { stdout } = await exec(daemon, id, 'id -u; ls /sys/class/net; ip link set lo down || echo refused');
  t.is(stdout.split('\n')[0], '0');
  t.true(stdout.includes(daemon.network.bridge), stdout);
  t.regex(stdout, /refused/);
});

const wrong: [string, object, RegExp][] = [
  ['two ranges', { uids: [range, { ...range, container_id: 65_536 }] }, /uids has 2 mappings/],
  ['no ranges', { uids: [], gids: [] }, /uids has 0 mappings/],
  ['a range that leaves root out', { gids: [{ ...range, container_id: 1 }] }, /must be 0/],
  ['an empty range', { uids: [{ ...range, length: 0 }] }, /maps 0 ids/],
  ['ids that do not exist', { uids: [{ ...range, host_id: 4_294_967_295 }] }, /from 4294967295/],
  ['mode CONTAINER', { mode: 'CONTAINER' }, /CONTAINER is not possible/],
  ['mode TARGET', { mode: 'TARGET' }, /TARGET is not possible/],
  ['mode NODE with mappings', { mode: 'NODE' }, /takes no mappings/],
];
for (const [what, change, message] of wrong) {
  test(`a user namespace with ${what} is refused`, async (t) => {
    const { daemon } = stage();
    const options = { pid: 'POD', userns_options: { ...user, ...change } };
    const config = podConfig(daemon, 'wrong', { linux: { cgroup_parent: daemon.cgroupParent, security_context: { namespace_options: options } } });
    await t.throwsAsync(daemon.cri.call('RunPodSandbox', { config }), { code: 3, message });
  });
}

test("a container whose mappings are not its pod's is refused", async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'differs', own(daemon));
  const userns_options = { ...user, uids: [{ ...range, host_id: 500_000 }] };
  const other = { linux: { security_context: { namespace_options: { pid: 'POD', userns_options } } } };
  await t.throwsAsync(createContainer(daemon, pod, containerConfig('c', ['true'], other)), { code: 3, message: /those of its pod/ });
  const plain = await runPod(daemon, 'plain');
  await t.throwsAsync(createContainer(daemon, plain, containerConfig('c', ['true'], inside({ pid: 'CONTAINER' }))), {
    code: 3,
    message: /those of its pod/,
  });
});

test('what Status says of user namespaces is what the OCI runtime can do', async (t) => {
  const { daemon } = stage();
  const { runtime_handlers } = await daemon.cri.call('Status', {});
  const able = new Map(runtime_handlers.map(({ name, features }) => [name, features.user_namespaces]));
  t.deepEqual(['', 'runc', 'old'].map((name) => able.get(name)), [true, true, false]);
  const config = podConfig(daemon, 'old', own(daemon));
  await t.throwsAsync(daemon.cri.call('RunPodSandbox', { config, runtime_handler: 'old' }), {
    message: /user namespaces are not possible here: its OCI runtime does not map the ids of mounts/,
  });
});
