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
import { status } from '@grpc/grpc-js';
import { withSection } from './bench/page.ts';
import { startDaemon } from './harness/daemon.ts';
import { endDaemon } from './harness/end.ts';
import { leaks, traces } from './harness/leaks.ts';
import { repository } from './harness/paths.ts';
import { busybox } from './harness/pod.ts';
import { freePort } from './harness/process.ts';
import { random } from './harness/random.ts';
import { startRegistry } from './harness/registry.ts';
import { imageStore } from './images/store.ts';
import { revive, strike } from './soak/blows.ts';
import { victims } from './soak/choice.ts';
import { flatness, type Minute } from './soak/flat.ts';
import { soakSection } from './soak/page.ts';
import { inhabit } from './soak/pod.ts';
import { probe, rotate, stream } from './soak/probe.ts';
import { frailPrograms } from './soak/programs.ts';
import { pullAndRemove } from './soak/pull.ts';
import { sample } from './soak/sample.ts';
import { again, codeOf, problem, type Soak } from './soak/soak.ts';
import { startWatch } from './soak/watch.ts';

const { values } = parseArgs({
  options: { minutes: { type: 'string', default: '120' }, pods: { type: 'string', default: '30' }, seed: { type: 'string', default: `${randomInt(1 << 30)}` } },
});
const [minutes, pods, seed] = [Number(values.minutes), Number(values.pods), Number(values.seed)];
/** Of so many pods one stays for the whole run. */
const STAYS_EVERY = 5;
/** Ports of the host from here on, one for each home. */
const FIRST_PORT = 28_200;
const MINUTE_MS = 60_000;
/** How often the leak check, which has a patience of its own, may find something before it counts. */
const LEAK_LOOKS = 6;

const directory = mkdtempSync(join(tmpdir(), 'berth-soak-'));
console.log(`soak of ${minutes} minutes, ${pods} pods, --seed ${seed}, pid ${process.pid}; records: ${directory}`);
let over = false;
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => (over = true));

const registry = await startRegistry({ directory, storage: (await imageStore()).storage });
const frail = frailPrograms('--metrics-address', `127.0.0.1:${await freePort()}`);
const daemon = await startDaemon({ registries: [registry.host], ...frail.options });
console.log(`daemon ${daemon.pid()}, its directory ${daemon.directory}, its log ${daemon.logPath}`);
const baseline = traces(daemon);
await daemon.cri.call('PullImage', { image: { image: busybox } });
const watch = startWatch(daemon, (error) => {
  if (!soak.daemonAway && ![status.UNAVAILABLE, status.CANCELLED].includes(codeOf(error))) problem(soak, `a list failed: ${String(error)}`);
});
const soak: Soak = {
  daemon,
  random: random(seed),
  frail,
  watch,
  directory,
  isOver: () => over,
  daemonAway: false,
  counts: new Map(),
  problems: [],
  homes: Array.from({ length: pods }, (_, i) => ({ name: `soak-${i}`, hostPort: FIRST_PORT + i, stays: i % STAYS_EVERY === 0, pod: undefined })),
};
const perMinute: Minute[] = [];
try {
  const pauses = (mostMs: number) => () => soak.random.below(mostMs);
  const actors = [
    ...soak.homes.map((home) => inhabit(soak, home)),
    again(soak, 'probe', pauses(1000), () => probe(soak)),
    again(soak, 'probe', pauses(3000), () => probe(soak)),
    again(soak, 'stream', pauses(6000), () => stream(soak)),
    again(soak, 'rotation', pauses(2000), () => rotate(soak)),
    again(soak, 'pull', pauses(10_000), () => pullAndRemove(soak)),
    again(soak, 'revival', () => 1000, () => revive(soak)),
  ];
  await pass();
  over = true;
  console.log('coming to the end ...');
  await Promise.all(actors);
  await watch.stop();
  await checkLeaks();
} catch (error) {
  problem(soak, `the soak itself failed: ${(error as Error).stack ?? String(error)}`);
} finally {
  over = true;
  await conclude();
}

/** The minutes, each with its restarts and kills, a sample of memory at its end, and a line. */
async function pass(): Promise<void> {
  const fromMs = performance.now();
  while (!over && performance.now() - fromMs < minutes * MINUTE_MS) {
    const endMs = performance.now() + MINUTE_MS;
    await strike(soak);
    while (!over && performance.now() < endMs) await sleep(200);
    if (over) return;
    perMinute.push(sample(daemon));
    writeFileSync(join(directory, 'samples.json'), JSON.stringify(perMinute));
    tell();
  }
}

function tell(): void {
  const { runtime, plugin } = frail.killed();
  soak.counts.set('killed runtime', runtime).set('killed plugin', plugin);
  const of = (what: string): number => soak.counts.get(what) ?? 0;
  const killed = victims.map((victim) => `${victim} ${of(`killed ${victim}`)}`).join(' ');
  const held = Object.entries(perMinute.at(-1) ?? {}).map(([kind, { processes, pssKiB, descriptors }]) => `${kind} ${processes}× ${pssKiB} KiB ${descriptors} fd`);
  const running = soak.homes.filter(({ pod }) => pod?.running !== undefined).length;
  console.log(
    `minute ${perMinute.length}: ${of('restarts')} restarts; killed ${killed}; ${of('exits')} exits, ${of('lines')} lines, ${of('rotations')} rotations, ` +
      `${of('pods')} pods, ${running} running, ${of('probes')} probes (${of('failed probes')} failed), ${of('streams')} streams (${of('broken streams')} broken), ` +
      `${of('pulls')} pulls, ${of('failed calls')} failed calls, ${of('logs late')} late; ${held.join(', ')}; ${soak.problems.length} PROBLEMS`,
  );
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
