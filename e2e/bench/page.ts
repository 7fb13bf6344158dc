import type { Pulled } from './contenders.ts';

/** What each contender took for one image, one entry for each round; the entries of a round belong together. */
export type Rounds = { readonly meaning: string; readonly gib: number; readonly by: ReadonlyMap<string, readonly Pulled[]> };
/** One measured figure with the bar it has to clear. */
export type Figure = { readonly meaning: string; readonly value: number; readonly unit: string; readonly atMost?: number };

/** The middle of the values; NaN when there is none. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  return ((sorted[Math.ceil(middle) - 1] ?? Number.NaN) + (sorted[Math.floor(middle)] ?? Number.NaN)) / 2;
}

/** The median over the rounds of ours divided by theirs, so that what slows a whole round down slows down both. */
export function ratio(ours: readonly Pulled[], theirs: readonly Pulled[], of: (pulled: Pulled) => number): number {
  return median(ours.flatMap((mine, round) => (theirs[round] === undefined ? [] : of(mine) / of(theirs[round]))));
}

/** A Markdown table: a row for each image, medians and the medians of the rounds' ratios. */
export function pullTable(rounds: readonly Rounds[], floorBars: readonly (number | undefined)[]): string {
  const lines = rounds.map(({ meaning, gib, by }, i) => {
    const of = (name: string): readonly Pulled[] => by.get(name) ?? [];
    const [ours, peer, synced, floor] = [of('berth'), of('containerd'), of('containerd, synced'), of('curl | tar')];
    const ms = (pulled: Pulled): number => pulled.ms;
    const cpu = (pulled: Pulled): number => pulled.cpuSeconds;
    const perGib = (pulled: readonly Pulled[]): string => (gib < 0.05 ? '–' : `${(median(pulled.map(cpu)) / gib).toFixed(2)} s`);
    const onDisk = floor.map((pulled) => ({ ...pulled, ms: pulled.ms + pulled.syncMs }));
    const cells = [
      meaning,
      ...[ours, peer, synced, floor, onDisk].map((pulled) => `${median(pulled.map(ms)).toFixed(0)} ms`),
      judged(ratio(ours, peer, ms), '×', 0.5),
      judged(ratio(ours, synced, ms), '×', undefined),
      judged(ratio(ours, floor, ms), '×', floorBars[i]),
      perGib(ours),
      perGib(peer),
      judged(ratio(ours, peer, cpu), '×', gib < 0.05 ? undefined : 0.5),
    ];
    return `| ${cells.join(' | ')} |`;
  });
  const names = ['image', 'Berth', 'containerd', 'on disk', '`curl \\| tar`', 'on disk', 'of containerd', 'on disk', 'of `curl \\| tar`', 'CPU per GiB', 'of containerd', 'ratio'];
  return [`| ${names.join(' | ')} |`, `|---${'|--:'.repeat(names.length - 1)}|`, ...lines].join('\n');
}

/** A Markdown table of single figures. */
export function figureTable(figures: readonly Figure[]): string {
  const lines = figures.map(({ meaning, value, unit, atMost }) => `| ${meaning} | ${judged(value, unit, atMost)} |`);
  return ['| figure | measured |', '|---|--:|', ...lines].join('\n');
}

function judged(value: number, unit: string, atMost: number | undefined): string {
  const shown = `${value >= 100 ? value.toFixed(0) : value.toFixed(2)} ${unit}`;
  return atMost === undefined ? shown : `${shown} (≤ ${atMost}: ${value <= atMost ? 'yes' : '**no**'})`;
}

/** `page` with the section of that heading replaced, or added at its end. */
export function withSection(page: string, heading: string, text: string): string {
  const section = `## ${heading}\n\n${text.trim()}\n`;
  const from = page.search(new RegExp(`^## ${heading}$`, 'm'));
  if (from < 0) return `${page.trimEnd()}\n\n${section}`;
  const next = page.slice(from + 3).search(/^## /m);
  return `${page.slice(0, from)}${section}${next < 0 ? '' : `\n${page.slice(from + 3 + next)}`}`;
}

/** The section of that heading with its heading; empty when there is none. */
export function sectionOf(page: string, heading: string): string {
  const from = page.search(new RegExp(`^## ${heading}$`, 'm'));
  if (from < 0) return '';
  const next = page.slice(from + 3).search(/^## /m);
  return page.slice(from, next < 0 ? undefined : from + 3 + next);
}
