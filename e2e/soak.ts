// Pods that log, end and are restarted while everything below them is restarted and killed; fails when anything is lost.
//
//   node e2e/soak.ts [--minutes 120] [--pods 30] [--seed N]
//
// SIGTERM and SIGINT end it early, with all comparisons. What it found lies in the directory that it names first.
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { randomInt } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { withSection } from './bench/page.ts';
import { startDaemon } from './harness/daemon.ts';
import { endDaemon } from './harness/end.ts';
import { leaks, traces } from './harness/leaks.ts';
import { repository } from './harness/paths.ts';
import { busybox } from './harness/pod.ts';
import { freePort } from './harness/process.ts';
import { startRegistry } from './harness/registry.ts';
import { imageStore } from './images/store.ts';
import { strike } from './soak/blows.ts';
import { flatness, type Minute } from './soak/flat.ts';
import { minuteLine, soakSection } from './soak/page.ts';
import { frailPrograms } from './soak/programs.ts';
import { sample } from './soak/sample.ts';
import { problem } from './soak/soak.ts';
import { during, makeSoak } from './soak/stage.ts';

const { values } = parseArgs({
  options: { minutes: { type: 'string', default: '120' }, pods: { type: 'string', default: '30' }, seed: { type: 'string', default: `${randomInt(1 << 30)}` } },
});
const [minutes, pods, seed] = [Number(values.minutes), Number(values.pods), Number(values.seed)];
/** Lines of the longest container: two minutes. */
const LONGEST = 1200;
const MINUTE_MS = 60_000;
/** How often the leak check, which has a patience of its own, may find something before it counts. */
const LEAK_LOOKS = 6;

const directory = mkdtempSync(join(tmpdir(), 'berth-soak-'));
console.log(`soak of ${minutes} minutes, ${pods} pods, --seed ${seed}, pid ${process.pid}; records: ${directory}`);

const registry = await startRegistry({ directory, storage: (await imageStore()).storage });
const frail = frailPrograms('--metrics-address', `127.0.0.1:${await freePort()}`);
const daemon = await startDaemon({ registries: [registry.host], ...frail.options });
console.log(`daemon ${daemon.pid()}, its directory ${daemon.directory}, its log ${daemon.logPath}`);
const baseline = traces(daemon);
await daemon.cri.call('PullImage', { image: { image: busybox } });
const soak = makeSoak({ daemon, frail, directory, seed, pods, longest: LONGEST });
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => (soak.over = true));
const perMinute: Minute[] = [];
try {
  await during(soak, pass);
  await checkLeaks();
} catch (error) {
  problem(soak, `the soak itself failed: ${(error as Error).stack ?? String(error)}`);
} finally {
  await conclude();
}

/** The minutes, each with its restarts and kills, a sample of memory at its end, and a line. */
async function pass(): Promise<void> {
  const fromMs = performance.now();
  while (!soak.over && performance.now() - fromMs < minutes * MINUTE_MS) {
    const endMs = performance.now() + MINUTE_MS;
    await strike(soak);
    while (!soak.over && performance.now() < endMs) await sleep(200);
    if (soak.over) return;
    perMinute.push(sample(daemon));
    writeFileSync(join(directory, 'samples.json'), JSON.stringify(perMinute));
    tell();
  }
  console.log('coming to the end ...');
}

function tell(): void {
  const { runtime, plugin } = frail.killed();
  soak.counts.set('killed runtime', runtime).set('killed plugin', plugin);
  soak.counts.set('running', soak.homes.filter(({ pod }) => pod?.running !== undefined).length).set('PROBLEMS', soak.problems.length);
  console.log(minuteLine(perMinute, soak.counts));
}

async function checkLeaks(): Promise<void> {
  const { items } = await daemon.cri.call('ListPodSandbox', {});
  const { containers } = await daemon.cri.call('ListContainers', {});
  for (const { id } of [...items, ...containers]) problem(soak, `still listed: ${id}`);
  let left: string[] = [];
  for (let look = 0; look < LEAK_LOOKS; look++) {
    left = await leaks(daemon, baseline);
    if (left.length === 0) return;
  }
  for (const trace of left) problem(soak, `left behind: ${trace}`);
}

async function conclude(): Promise<void> {
  tell();
  const flat = flatness(perMinute);
  for (const { kind, figure, before, after, atMost } of flat.filter((one) => !one.flat)) {
    problem(soak, `${kind} holds ${after} ${figure}, ${before} before, at most ${atMost.toFixed(0)} would be flat`);
  }
  const section = soakSection({ minutes: perMinute.length, pods, seed, counts: soak.counts, flatness: flat, problems: soak.problems }, new Date().toISOString().slice(0, 10));
  console.log(`\n${section}\n`);
  writeFileSync(join(directory, 'section.md'), section);
  copyFileSync(daemon.logPath, join(directory, 'daemon.log'));
  const page = join(repository, 'docs/benchmarks.md');
  if (soak.problems.length === 0 && minutes >= 60) writeFileSync(page, withSection(readFileSync(page, 'utf8'), 'Soak', section));
  await endDaemon(daemon);
  await registry.stop();
  if (soak.problems.length === 0) {
    console.log('VERDICT: nothing lost, nothing leaked, all flat');
    if (minutes < 60) rmSync(directory, { recursive: true });
    return;
  }
  console.log(`VERDICT: ${soak.problems.length} problems, see ${directory}`);
  process.exitCode = 1;
}
