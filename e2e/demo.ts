// Shows the whole way in ten seconds, without the internet: an image is built and served by a registry on loopback,
// pulled and run in a pod through the CRI socket; then what it said, what it used and how long each stage took.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Daemon, discard, startDaemon } from './harness/daemon.ts';
import { containerConfig, createContainer, exec, logLines, removePod, runPod } from './harness/pod.ts';
import { freePort } from './harness/process.ts';
import { type Registry, startRegistry } from './harness/registry.ts';
import { busybox } from './images/debian.ts';
import { assemble } from './images/image.ts';
import { push } from './images/push.ts';

const script = 'echo "hello from $(hostname), as process $$"; exec sleep 1000';

const directory = mkdtempSync(join(tmpdir(), 'berth-demo-'));
const undo: (() => unknown)[] = [() => rmSync(directory, { recursive: true, force: true })];
const from = performance.now();
try {
  await demo();
} finally {
  for (const step of undo.reverse()) await step();
}
say(`cleaned up; the whole demo took ${((performance.now() - from) / 1000).toFixed(1)} s`);

async function demo(): Promise<void> {
  const registry = await startRegistry({ directory, storage: join(directory, 'registry'), writable: true });
  undo.push(registry.stop);
  const image = await buildImage(registry);

  const metricsAddress = `127.0.0.1:${await freePort()}`;
  const daemon = await startDaemon({ registries: [registry.host], args: ['--metrics-address', metricsAddress] });
  undo.push(async () => {
    await daemon.stop();
    discard(daemon);
  });
  say(`berthd serves the CRI on ${daemon.socket}`);
  await runOnce(daemon, image);
  say('where the time went, in milliseconds:');
  for (const line of stages(await (await fetch(`http://${metricsAddress}/metrics`)).text())) console.log(`    ${line}`);
}

async function buildImage(registry: Registry): Promise<string> {
  const name = 'demo/hello:1';
  const image = assemble({ names: [name], format: 'oci', layers: [{ entries: busybox(), compression: 'zstd' }] });
  await push(registry.url, [name], image, new Map());
  say(`built ${registry.host}/${name}: ${image.blobs.reduce((sum, blob) => sum + blob.bytes.length, 0) >> 10} KiB, pushed to a registry`);
  return `${registry.host}/${name}`;
}

async function runOnce(daemon: Daemon, image: string): Promise<void> {
  const { cri } = daemon;
  await step('pulled the image', () => cri.call('PullImage', { image: { image } }));
  const pod = await step('ran a pod', () => runPod(daemon, 'demo'));
  const config = containerConfig('hello', ['sh', '-c', script], { image: { image } });
  const container_id = await step('created a container', () => createContainer(daemon, pod, config));
  await step('started it', () => cri.call('StartContainer', { container_id }));

  const { status } = await cri.call('PodSandboxStatus', { pod_sandbox_id: pod.id });
  say(`the pod is ${status.state} at ${status.network?.ip}`);
  for (const line of await logLines(pod, 'hello', 1)) console.log(`    log: ${line}`);
  const uptime = await step('executed a command', () => exec(daemon, container_id, 'cut -d" " -f1 /proc/uptime'));
  console.log(`    output: ${uptime.stdout.trim()}`);
  const { stats } = await cri.call('ContainerStats', { container_id });
  const memory = Number(stats.memory?.working_set_bytes?.value ?? 0);
  const cpu = Number(stats.cpu?.usage_core_nano_seconds?.value ?? 0);
  say(`it uses ${memory >> 10} KiB of memory and has used ${(cpu / 1e6).toFixed(1)} ms of CPU`);
  await step('stopped and removed the pod', () => removePod(daemon, pod.id));
}

/** `operation stage  milliseconds` of every stage that was measured, in the page of /metrics. */
function stages(page: string): string[] {
  const sums = page.matchAll(/^berth_stage_duration_seconds_sum\{operation="(\w+)",stage="(\w+)"\} (\S+)$/gm);
  return Array.from(sums, ([, operation = '', stage = '', seconds]) => {
    return `${operation.padEnd(18)} ${stage.padEnd(12)} ${(Number(seconds) * 1000).toFixed(1).padStart(7)}`;
  });
}

async function step<T>(done: string, work: () => Promise<T>): Promise<T> {
  const startedMs = performance.now();
  const result = await work();
  say(`${done} in ${(performance.now() - startedMs).toFixed(0)} ms`);
  return result;
}

function say(text: string): void {
  console.log(`==> ${text}`);
}
