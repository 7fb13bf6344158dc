// Measures pulls: ours, containerd's and curl | tar in alternating rounds, then over slow wires, then what pods feel of
// them. Writes the section "Pulls" of docs/benchmarks.md.
//
//   node e2e/bench/pull.ts [--rounds 3] [--only six,small,tiny,zstd] [--parts straight,wire,during]
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startDaemon, type Daemon } from '../harness/daemon.ts';
import { endDaemon } from '../harness/end.ts';
import { repository } from '../harness/paths.ts';
import { startRegistry } from '../harness/registry.ts';
import { tool } from '../harness/tools.ts';
import { imageStore } from '../images/store.ts';
import { floor, onlyFetched, runtimeContender, type Contender, type Pulled } from './contenders.ts';
import { duringPulls } from './during.ts';
import { subjects as built, type Subject } from './images.ts';
import { figureTable, pullTable, ratio, withSection, type Figure } from './page.ts';
import { touchFreeMemory } from './processes.ts';
import { startWire } from './wire.ts';

const allParts = 'straight,wire,during';
const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    only: { type: 'string', default: '' },
    parts: { type: 'string', default: allParts },
  },
});
const rounds = Number(options.rounds);
const { storage, subjects } = await built();
const chosen = subjects.filter(({ name }) => options.only === '' || options.only.split(',').includes(name));
/** At most this times `curl | tar`, where that is a bar. */
const floorBars: Readonly<Record<string, number>> = { six: 1.3, small: 1.3 };
const wire = { delayMs: 30, bytesPerSecond: 200e6 / 8 };

const directory = mkdtempSync(join(tmpdir(), 'berth-bench-'));
/** All that is unpacked stays until the end: ext4 is slow to use inodes again that were freed minutes ago. */
const undo: (() => Promise<void> | void)[] = [() => rmSync(directory, { recursive: true, force: true })];
try {
  const tests = await startRegistry({ directory, storage: (await imageStore()).storage });
  const registry = await startRegistry({ directory, storage });
  const calm = await startRegistry({ directory, storage, yielding: true });
  const shared = await startWire({ ...wire, to: registry.port, shared: true });
  const narrow = await startWire({ ...wire, to: registry.port, shared: false });
  undo.push(tests.stop, registry.stop, calm.stop, shared.close, narrow.close);
  const daemon = async (runtime: 'berth' | 'containerd', synced = false): Promise<Daemon> => {
    const args = ['--runtime', `runc=${tool('runc')}`, '--default-runtime', 'runc'];
    const registries = [tests, registry, calm, shared, narrow].map(({ host }) => host);
    const started = await startDaemon({ runtime, registries, args, synced });
    undo.push(() => endDaemon(started));
    return started;
  };
  const sections: string[] = [];
  if (options.parts.includes('straight')) {
    const measured = chosen.map((subject) => ({ subject, by: new Map<string, Pulled[]>() }));
    touchFreeMemory();
    for (let round = 0; round < rounds; round++) {
      const [berth, containerd, synced] = [await daemon('berth'), await daemon('containerd'), await daemon('containerd', true)];
      const contenders = [
        runtimeContender('berth', berth),
        runtimeContender('containerd', containerd),
        runtimeContender('containerd, synced', synced),
        floor(directory),
      ];
      const [first, second] = [contenders.slice(round % contenders.length), contenders.slice(0, round % contenders.length)];
      for (const { subject, by } of measured) {
        // The registry stands for one elsewhere: nobody waits for this machine's disk to bring what it serves, nor for it to
        // take what was written before.
        await onlyFetched().pull(subject, registry.host);
        spawnSync('sync');
        await pullEach(subject, registry.host, [...first, ...second], by);
      }
      await Promise.all([berth, containerd, synced].map((each) => each.stop()));
    }
    const told = measured.map(({ subject: { meaning, unpackedBytes }, by }) => ({ meaning, gib: unpackedBytes / 2 ** 30, by }));
    sections.push(pullTable(told, chosen.map(({ name }) => floorBars[name])));
  }
  const figures: Figure[] = [];
  if (options.parts.includes('wire')) figures.push(...(await overWires(runtimeContender('berth', await daemon('berth')), shared.host, narrow.host)));
  if (options.parts.includes('during')) figures.push(...(await duringPulls(await daemon('berth'), chosen, calm.host)));
  sections.push(figureTable(figures));
  console.log(`\n${sections.join('\n\n')}`);
  if (options.parts === allParts && options.only === '') write(sections);
} finally {
  for (const step of undo.reverse()) await step();
}

/** One pull by each contender, all of them within the same minute; adds to what is known of each. */
async function pullEach(subject: Subject, host: string, contenders: readonly Contender[], by: Map<string, Pulled[]>): Promise<void> {
  for (const contender of contenders) {
    const pulled = await contender.pull(subject, host);
    by.set(contender.name, [...(by.get(contender.name) ?? []), pulled]);
    console.log(`${subject.name} ${contender.name}: ${pulled.ms.toFixed(0)} ms, ${pulled.cpuSeconds.toFixed(2)} s of CPU, ${pulled.memoryMiB.toFixed(0)} MiB`);
  }
}

async function overWires(ours: Contender, shared: string, narrow: string): Promise<Figure[]> {
  const [six, zstd] = ['six', 'zstd'].map((name) => subjects.find((subject) => subject.name === name)) as [Subject, Subject];
  const [overShared, overNarrow] = [new Map<string, Pulled[]>(), new Map<string, Pulled[]>()];
  await pullEach(six, shared, [onlyFetched(), ours], overShared);
  await pullEach(zstd, narrow, [ours], overNarrow);
  const oneConnectionMs = ((zstd.blobs[0]?.sizeBytes ?? 0) / wire.bytesPerSecond) * 1000 + wire.delayMs;
  return [
    {
      meaning: `${six.meaning}, over a wire of 200 Mbit/s and 30 ms: of the time of \`curl\` without \`tar\``,
      value: ratio(overShared.get('berth') ?? [], overShared.get('curl') ?? [], ({ ms }) => ms),
      unit: '×',
      atMost: 1.1,
    },
    {
      meaning: `${zstd.meaning}, over 30 ms and 200 Mbit/s for each connection: of what one connection takes`,
      value: (overNarrow.get('berth')?.[0]?.ms ?? Number.NaN) / oneConnectionMs,
      unit: '×',
      atMost: 0.5,
    },
  ];
}

function write(sections: readonly string[]): void {
  const path = join(repository, 'docs/benchmarks.md');
  const text = `Pulls from a docker-registry on the same machine, medians of ${rounds} rounds in which Berth, containerd and \`curl | tar\` (a
process for each layer, side by side, nothing verified) take turns, each round beginning with another, daemons and folders new
in each, what the registry serves in its memory; ratios are medians of the rounds' ratios. Berth's time ends when all is
verified and on the disk. containerd's does not: its configuration leaves what it unpacks to be written some time later, and
a power cut meanwhile to be found out by pods; \`on disk\` is containerd with \`image_pull_with_sync_fs\`, and \`curl | tar\` plus
a \`sync\`. CPU is that of daemon and engine for each GiB unpacked. \`npm run bench -- pull\` writes this section; measured ${new Date().toISOString().slice(0, 10)}.

${sections.join('\n\n')}`;
  writeFileSync(path, withSection(readFileSync(path, 'utf8'), 'Pulls', text));
}
