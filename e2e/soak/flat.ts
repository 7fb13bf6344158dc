import { median } from '../bench/page.ts';

/** What the processes of one kind held at one time; of a kind with many processes, the median of one. */
export type Held = { readonly processes: number; readonly rssKiB: number; readonly pssKiB: number; readonly descriptors: number };
/** By kind, one entry for each minute. */
export type Minute = Readonly<Record<string, Held>>;
/** One figure before and after. */
export type Flatness = {
  readonly kind: string;
  readonly figure: keyof Held;
  readonly before: number;
  readonly after: number;
  readonly atMost: number;
  readonly flat: boolean;
};

/** What a kind may hold more at the end than before and yet count as flat: a collection of garbage, or a pull in flight. */
const slack: Readonly<Record<string, Omit<Held, 'processes'>>> = {
  berthd: { rssKiB: 10_240, pssKiB: 10_240, descriptors: 16 },
  'berth-engine': { rssKiB: 4096, pssKiB: 4096, descriptors: 16 },
  'berth-shim': { rssKiB: 128, pssKiB: 128, descriptors: 4 },
};
const figures = ['rssKiB', 'pssKiB', 'descriptors'] as const;
/** Besides that, a share of what it held before. */
const SHARE = 0.05;

/** Which minutes are compared with which: 10 to 20 with the last ten, or thirds of a run too short for that. */
export function spans(count: number): { before: [number, number]; after: [number, number] } {
  if (count >= 30) return { before: [10, 20], after: [count - 10, count] };
  const third = Math.max(1, Math.floor(count / 3));
  return { before: [Math.min(third, count - 1), Math.min(2 * third, count)], after: [count - third, count] };
}

/** Compares the medians of the two spans, for each kind and figure. */
export function flatness(minutes: readonly Minute[]): Flatness[] {
  const { before, after } = spans(minutes.length);
  const kinds = [...new Set(minutes.flatMap((minute) => Object.keys(minute)))];
  const of = ([from, to]: [number, number], kind: string, figure: keyof Held): number =>
    median(minutes.slice(from, to).flatMap((minute) => minute[kind]?.[figure] ?? []));
  return kinds.flatMap((kind) =>
    figures.flatMap((figure): Flatness[] => {
      const allowed = slack[kind]?.[figure];
      const [then, now] = [of(before, kind, figure), of(after, kind, figure)];
      if (allowed === undefined || Number.isNaN(then) || Number.isNaN(now)) return [];
      const atMost = then * (1 + SHARE) + allowed;
      return [{ kind, figure, before: then, after: now, atMost, flat: now <= atMost }];
    }),
  );
}
