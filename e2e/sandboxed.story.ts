import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { entriesIn, textOf } from './harness/files.ts';
import { exec, exitOf, logLines, podConfig, type Pod, runScript, statusOf } from './harness/pod.ts';
import { until } from './harness/process.ts';
import { story } from './harness/story.ts';

const directory = mkdtempSync(join(tmpdir(), 'berth-gvisor-'));
const config = join(directory, 'berth.toml');
writeFileSync(config, '[runtimes.gvisor]\npath = "/usr/bin/runsc"\nargs = ["--platform=ptrace", "--network=host", "--ignore-cgroups"]\nsandbox = "process"\n');
const stage = story({ daemon: { args: ['--config', config] } });
test.after.always('the configuration goes', () => rmSync(directory, { recursive: true }));

/** gVisor is not installed everywhere. */
const gvisor = existsSync('/usr/bin/runsc') ? test : test.skip;
if (gvisor !== test) console.log('runsc is not installed: nothing of sandbox processes is tested');

gvisor('two containers of a pod run in one gVisor sandbox, share its network, and end with their codes', async (t) => {
  const { daemon } = stage();
  const pod = await runSandboxed('gvisor');
  const server = await runScript(daemon, pod, 'server', 'dmesg | head -1; mkdir /www; echo page > /www/index.html; exec httpd -f -p 8080 -h /www');
  const brief = await runScript(daemon, pod, 'brief', 'echo out; echo err >&2; exit 7');
  t.is((await exitOf(daemon, brief)).exit_code, 7);
  t.deepEqual((await logLines(pod, 'brief', 2)).sort(), ['err', 'out']);
  t.regex((await logLines(pod, 'server', 1))[0] ?? '', /gVisor/);
  const client = await runScript(daemon, pod, 'client', 'sleep 1000');
  const fetched = "for i in 1 2 3 4 5 6 7 8 9; do printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc 127.0.0.1 8080 && break; sleep 0.3; done";
  t.regex((await exec(daemon, client, fetched)).stdout, /\r\n\r\npage\n$/);
  const { status } = await daemon.cri.call('PodSandboxStatus', { pod_sandbox_id: pod.id });
  // A read of gVisor on this kernel may end with EAGAIN, so that a request is answered by a reset now and then.
  const page = () => fetch(`http://${status.network?.ip}:8080/`).then((reply) => reply.text(), () => '');
  await until(async () => (await page()) === 'page\n', 10_000, 'the page by the address of the pod');
  t.deepEqual(await exec(daemon, client, 'echo no >&2; exit 3'), { stdout: '', stderr: 'no\n', code: 3 });
  await daemon.cri.call('StopContainer', { container_id: server, timeout: 1 });
  t.is((await statusOf(daemon, server)).state, 'CONTAINER_EXITED');
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
  const sandbox = entriesIn('/proc').map((entry) => entry.name).find(boots);
  process.kill(Number(sandbox), 'SIGKILL');
  t.is((await exitOf(daemon, container)).exit_code, 137);
  const { status } = await daemon.cri.call('PodSandboxStatus', { pod_sandbox_id: pod.id });
  t.is(status.state, 'SANDBOX_NOTREADY');
});

async function runSandboxed(name: string): Promise<Pod> {
  const { daemon } = stage();
  const made = podConfig(daemon, name);
  const { pod_sandbox_id: id } = await daemon.cri.call('RunPodSandbox', { config: made, runtime_handler: 'gvisor' });
  return { id, config: made };
}
