/** Who is killed at the chosen effect; `shim` is the one of the newest pod. */
export type Victim = 'daemon' | 'engine' | 'both' | 'shim';
export const victims = ['daemon', 'engine', 'both'] as const satisfies readonly Victim[];

/**
 * Kill `victim` at the `at`th effect from now, counted from 1, or `delayMs` later, when engine or shim are in the middle
 * of it; `at` 0 only counts, `NOTHING` ends the counting.
 */
export type Order = { id: string; at: number; victim: Victim; delayMs: number };
export const NOTHING = -1;
