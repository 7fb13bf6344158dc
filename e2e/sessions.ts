// Runs thousands of exec, attach and port-forward sessions and fails when any of them leaves something behind.
//
//   node e2e/sessions.ts [--sessions 10000] [--warm 2000]
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { startDaemon, type Daemon } from './harness/daemon.ts';
import { endDaemon } from './harness/end.ts';
import { busybox, removePod } from './harness/pod.ts';
import { startRegistry } from './harness/registry.ts';
import { held, makePlace, memoryKiB, type Place, runSessions, untilHeld } from './harness/sessions.ts';
import { imageStore } from './images/store.ts';

/** Growth from the warm state to the end that counts as flat, in KiB: what one garbage collection more or less makes. */
const flatKiB: Readonly<Record<string, number>> = { berthd: 8192, 'berth-engine': 256, 'berth-shim': 64 };
const SETTLE_MS = 3000;
const STEP = 500;

const { values } = parseArgs({
  options: { sessions: { type: 'string', default: '10000' }, warm: { type: 'string', default: '2000' } },
});
const [sessions, warm] = [Number(values.sessions), Number(values.warm)];

const directory = mkdtempSync(join(tmpdir(), 'berth-sessions-'));
const registry = await startRegistry({ directory, storage: (await imageStore()).storage });
try {
  const daemon = await startDaemon({ registries: [registry.host] });
  try {
    await soak(daemon);
  } finally {
    await endDaemon(daemon);
  }
} finally {
  await registry.stop();
  rmSync(directory, { recursive: true, force: true });
}

async function soak(daemon: Daemon): Promise<void> {
  await daemon.cri.call('PullImage', { image: { image: busybox } });
  const place = await makePlace(daemon);
  await advance(place, 0, warm);
  const [before, memory] = [held(place), memoryKiB(daemon)];
  await advance(place, warm, sessions);
  await untilHeld(place, before);
  const after = memoryKiB(daemon);
  const grown = Object.entries(after).filter(([name, KiB]) => KiB - (memory[name] ?? 0) > (flatKiB[name] ?? 0));
  for (const [name, KiB] of Object.entries(after)) console.log(`${name}: ${memory[name]} KiB, then ${KiB}`);
  await removePod(daemon, place.pod.id);
  if (grown.length > 0) throw new Error(`memory grew: ${grown.map(([name]) => name).join(', ')}`);
  console.log(`${sessions} sessions left nothing behind`);
}

async function advance(place: Place, from: number, to: number): Promise<void> {
  for (let at = from; at < to; at += STEP) {
    const startedMs = performance.now();
    await runSessions(place, at, Math.min(at + STEP, to));
    const perSecond = Math.round((STEP / (performance.now() - startedMs)) * 1000);
    console.log(`${at + STEP} sessions, ${perSecond}/s: ${JSON.stringify({ ...memoryKiB(place.daemon), ...held(place) })}`);
  }
  await sleep(SETTLE_MS);
}
