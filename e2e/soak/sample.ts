import { median } from '../bench/page.ts';
import type { Daemon } from '../harness/daemon.ts';
import { namesIn, textOf } from '../harness/files.ts';
import { ownProcesses } from '../harness/leaks.ts';
import type { Held, Minute } from './flat.ts';

const kinds = ['berthd', 'berth-engine', 'berth-shim'];

/** What the processes of each kind hold now. */
export function sample(daemon: Daemon): Minute {
  const processes = ownProcesses(daemon, []);
  return Object.fromEntries(kinds.map((kind) => [kind, held(processes.flatMap(({ name, pid }) => (name === kind ? [pid] : [])))]));
}

function held(pids: readonly number[]): Held {
  const figures = pids.map((pid) => ({ rollup: textOf(`/proc/${pid}/smaps_rollup`), descriptors: namesIn(`/proc/${pid}/fd`).length }));
  const alive = figures.filter(({ rollup }) => rollup !== '');
  const middle = (field: string): number => median(alive.map(({ rollup }) => Number(new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(rollup)?.[1])));
  return { processes: alive.length, rssKiB: middle('Rss'), pssKiB: middle('Pss'), descriptors: median(alive.map(({ descriptors }) => descriptors)) };
}
