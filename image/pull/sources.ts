import { asRuntimeError, RuntimeError } from '../../api/errors.ts';
import type { RegistryClient } from '../registry/client.ts';
import { RegistryBusy } from '../registry/retry.ts';

/** Looks up the registries of one place that the operator names; they are not asked yet. */
export type Lookup = () => Promise<readonly RegistryClient[]>;

/** Registries that may have an image, in the order to ask; each place is looked up once, when its turn comes. */
export type Sources = {
  /** Each in turn, beginning with `first` and going round; one that cannot be looked up is there as its error. */
  from(first: number): AsyncIterable<Turn>;
};
/** One registry's turn; `index` is its place in the order. */
export type Turn = { index: number; client: RegistryClient | RuntimeError };

/** The registries of all places; `lookups` itself is called, and may throw, when the first of them is wanted. */
export function openSources(lookups: () => readonly Lookup[]): Sources {
  let places: (() => Promise<Turn['client'][]>)[] | undefined;
  async function* all(): AsyncGenerator<Turn> {
    places ??= memoized(lookups);
    let index = 0;
    for (const place of places) for (const client of await place()) yield { index: index++, client };
  }
  return {
    async *from(first) {
      for await (const turn of all()) if (turn.index >= first) yield turn;
      for await (const turn of all()) if (turn.index < first) yield turn;
      else return;
    },
  };
}

/** What one error tells of several failures: the last decides the kind, the message tells all. */
export function allFailed(failures: readonly RuntimeError[]): RuntimeError {
  const last = failures.at(-1);
  if (last === undefined) return new RuntimeError('internal', 'there is no registry to ask');
  if (failures.length === 1) return last;
  const message = [...new Set(failures.map((failure) => failure.message))].join('; ');
  const busy = failures.filter((failure) => failure instanceof RegistryBusy);
  if (busy.length < failures.length) return new RuntimeError(last.kind, message, last);
  return new RegistryBusy(message, Math.min(...busy.map(({ pauseMs }) => pauseMs)), last);
}

function memoized(lookups: () => readonly Lookup[]): (() => Promise<Turn['client'][]>)[] {
  try {
    return lookups().map((lookup) => {
      let found: Promise<Turn['client'][]> | undefined;
      return () => (found ??= lookup().then((clients) => [...clients], (error: unknown) => [asRuntimeError(error)]));
    });
  } catch (error) {
    return [() => Promise.resolve([asRuntimeError(error)])];
  }
}
