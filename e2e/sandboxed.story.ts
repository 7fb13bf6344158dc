import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { namesIn, textOf } from './harness/files.ts';
import { exec, exitOf, logLines, podConfig, type Pod, runScript, statusOf } from './harness/pod.ts';
import { until } from './harness/process.ts';
import { story } from './harness/story.ts';
import { openSocket } from './harness/streams.ts';

const directory = mkdtempSync(join(tmpdir(), 'berth-gvisor-'));
const config = join(directory, 'berth.toml');
const handler = (name: string, ...more: string[]): string =>
  `[runtimes.${name}]\npath = "/usr/bin/runsc"\nargs = ${JSON.stringify(['--platform=ptrace', '--network=host', ...more])}\nsandbox = "process"\n`;
writeFileSync(config, handler('gvisor', '--ignore-cgroups') + handler('limited'));
const stage = story({ daemon: { args: ['--config', config] } });
test.after.always('the configuration goes', () => rmSync(directory, { recursive: true }));

/** gVisor is not installed everywhere. */
const gvisor = existsSync('/usr/bin/runsc') ? test : test.skip;
if (gvisor !== test) console.log('runsc is not installed: nothing of sandbox processes is tested');

gvisor('two containers of a pod run in one gVisor sandbox, share its network, and end with their codes', async (t) => {
  const { daemon } = stage();
  const pod = await runSandboxed('gvisor');
  const server = await runScript(daemon, pod, 'server', 'dmesg | head -1; mkdir /www; echo page > /www/index.html; exec httpd -f -p 80 -h /www');
  const brief = await runScript(daemon, pod, 'brief', 'echo out; echo err >&2; exit 7');
  t.is((await exitOf(daemon, brief)).exit_code, 7);
  t.deepEqual((await logLines(pod, 'brief', 2)).sort(), ['err', 'out']);
  t.regex((await logLines(pod, 'server', 1))[0] ?? '', /gVisor/);
  const client = await runScript(daemon, pod, 'client', 'sleep 1000');
  const fetched = "for i in 1 2 3 4 5 6 7 8 9; do printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc 127.0.0.1 80 && break; sleep 0.3; done";
  t.regex((await exec(daemon, client, fetched)).stdout, /\r\n\r\npage\n$/);
  const { status } = await daemon.cri.call('PodSandboxStatus', { pod_sandbox_id: pod.id });
  // A read of gVisor on this kernel may end with EAGAIN, so that a request is answered by a reset now and then.
  const page = () => fetch(`http://${status.network?.ip}/`).then((reply) => reply.text(), () => '');
  await until(async () => (await page()) === 'page\n', 60_000, 'the page by the address of the pod');
  t.deepEqual(await exec(daemon, client, 'echo no >&2; exit 3'), { stdout: '', stderr: 'no\n', code: 3 });
  await daemon.cri.call('StopContainer', { container_id: server, timeout: 1 });
  t.is((await statusOf(daemon, server)).state, 'CONTAINER_EXITED');
  t.is((await statusOf(daemon, client)).state, 'CONTAINER_RUNNING');
});

gvisor('containers of a gVisor pod that share a pid namespace see each other, and none of them is its init', async (t) => {
  const { daemon } = stage();
  const shared = { linux: { cgroup_parent: daemon.cgroupParent, security_context: { namespace_options: { pid: 0 } } } };
  const pod = await runSandboxed('gvisor-shared', 'gvisor', shared);
  const first = await runScript(daemon, pod, 'first', 'exit 3', shared);
  t.is((await exitOf(daemon, first)).exit_code, 3);
  const server = await runScript(daemon, pod, 'server', 'exec sleep 1000', shared);
  const client = await runScript(daemon, pod, 'client', 'exec sleep 2000', shared);
  const { stdout } = await exec(daemon, client, 'ps');
  t.regex(stdout, /^ +1 .*pause sandbox$[\s\S]*sleep 1000$[\s\S]*sleep 2000$/m);
  await daemon.cri.call('StopContainer', { container_id: server, timeout: 0 });
  t.is((await statusOf(daemon, client)).state, 'CONTAINER_RUNNING');
});

gvisor('a gVisor pod outlives the daemon, its exits are known afterwards', async (t) => {
  const { daemon } = stage();
  const pod = await runSandboxed('gvisor-restart');
  const brief = await runScript(daemon, pod, 'brief', 'sleep 3; exit 5');
  await daemon.kill();
  await daemon.start();
  t.is((await exitOf(daemon, brief)).exit_code, 5);
});

gvisor('a pod whose sandbox process is killed is no more ready, and its containers have ended', async (t) => {
  const { daemon } = stage();
  const pod = await runSandboxed('gvisor-killed');
  const container = await runScript(daemon, pod, 'c', 'sleep 1000');
  const boots = (pid: string): boolean => /\0boot\0/.test(textOf(`/proc/${pid}/cmdline`)) && textOf(`/proc/${pid}/cmdline`).includes(pod.id);
  const sandbox = namesIn('/proc').find(boots);
  process.kill(Number(sandbox), 'SIGKILL');
  t.is((await exitOf(daemon, container)).exit_code, 137);
  const { status } = await daemon.cri.call('PodSandboxStatus', { pod_sandbox_id: pod.id });
  t.is(status.state, 'SANDBOX_NOTREADY');
});

gvisor('what a container uses inside a gVisor sandbox is told by its runtime, and its pod sums it up', async (t) => {
  const { daemon } = stage();
  const pod = await runSandboxed('gvisor-stats');
  const busy = await runScript(daemon, pod, 'busy', 'while :; do :; done');
  const idle = await runScript(daemon, pod, 'idle', 'sleep 1000');
  const used = async (container_id: string): Promise<bigint> => BigInt((await statsOf(container_id)).cpu?.usage_core_nano_seconds?.value ?? 0);
  const statsOf = async (container_id: string) => (await daemon.cri.call('ContainerStats', { container_id })).stats;
  await until(async () => (await used(busy)) > 200_000_000n, 20_000, 'the busy container to be seen busy');
  t.true((await used(idle)) < (await used(busy)));
  t.true(BigInt((await statsOf(idle)).memory?.working_set_bytes?.value ?? 0) > 0n);
  const { stats } = await daemon.cri.call('PodSandboxStats', { pod_sandbox_id: pod.id });
  t.is(stats.linux?.containers.length, 2);
  t.true(BigInt(stats.linux?.cpu?.usage_core_nano_seconds?.value ?? 0) > 200_000_000n);
  t.is(stats.linux?.network?.default_interface?.name, 'eth0');
  t.is((await daemon.cri.call('ListContainerStats', {})).stats.length, 2);
  const metrics = async (): Promise<Map<string, number>> => {
    const { pod_metrics } = await daemon.cri.call('ListPodSandboxMetrics', {});
    const values = pod_metrics.flatMap((each) => each.container_metrics).find((each) => each.container_id === idle)?.metrics ?? [];
    return new Map(values.map((each) => [each.name.replace('container_', ''), Number(each.value?.value)]));
  };
  // A runtime that does not answer in time is left out.
  const told = async (): Promise<boolean> => {
    const known = await metrics();
    return ['memory_working_set_bytes', 'processes'].every((name) => Number(known.get(name)) > 0);
  };
  await until(told, 60_000, 'the metrics of the idle container');
  t.false((await metrics()).has('memory_cache'), 'what the runtime does not tell is left out');
});

gvisor('a port is forwarded to a server inside a gVisor sandbox', async (t) => {
  const { daemon } = stage();
  const pod = await runSandboxed('gvisor-forward');
  await runScript(daemon, pod, 'server', 'mkdir /www; echo page > /www/index.html; exec httpd -f -p 8080 -h /www');
  const page = async (): Promise<string> => {
    const { url } = await daemon.cri.call('PortForward', { pod_sandbox_id: pod.id, port: [8080] });
    const socket = await openSocket(url, 'v4.channel.k8s.io');
    socket.send(0, 'GET / HTTP/1.0\r\n\r\n');
    await socket.closed;
    return socket.text(0);
  };
  await until(async () => /\r\n\r\npage\n$/.test(await page()), 20_000, 'the page by way of the forwarded port');
  t.pass();
});

gvisor("a gVisor sandbox is in a cgroup of its pod, whose memory limit holds for it; containers have none of their own to change", async (t) => {
  const { daemon } = stage();
  const cgroup_parent = `${daemon.cgroupParent}/limited`;
  const memory = `/sys/fs/cgroup/memory${cgroup_parent}`;
  const pod = await runSandboxed('gvisor-limited', 'limited', { linux: { cgroup_parent, security_context: { namespace_options: { pid: 1 } } } });
  // As the kubelet does.
  writeFileSync(`${memory}/memory.limit_in_bytes`, `${256 << 20}`);
  t.not(readFileSync(`${memory}/crio-${pod.id}/cgroup.procs`, 'utf8'), '');
  const container_id = await runScript(daemon, pod, 'c', 'sleep 1000');
  const update = daemon.cri.call('UpdateContainerResources', { container_id, linux: { memory_limit_in_bytes: 64 << 20 } });
  await t.throwsAsync(update, { code: 12, message: /sandbox process, where it has no limits of its own/ });
  const greedy = await runScript(daemon, pod, 'greedy', 'x=xxxxxxxxxxxxxxxx; while :; do x=$x$x; done');
  t.like(await exitOf(daemon, greedy, 60_000), { exit_code: 137, reason: 'OOMKilled' });
  t.true(Number(readFileSync(`${memory}/memory.failcnt`, 'utf8')) > 0);
});

async function runSandboxed(name: string, runtime_handler = 'gvisor', more: object = {}): Promise<Pod> {
  const { daemon } = stage();
  const made = podConfig(daemon, name, more);
  const { pod_sandbox_id: id } = await daemon.cri.call('RunPodSandbox', { config: made, runtime_handler });
  return { id, config: made };
}
