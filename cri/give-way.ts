/** Whom layers are unpacked by, and the clock. */
export type GivesWayOptions = {
  layersInFlight: () => number;
  /** Has unpacking give way for so long. */
  giveWay: (ms: number) => Promise<unknown>;
  nowMs: () => number;
};

/** Calls that start or end something, and one of which is mostly followed by the next. */
const changes = /^(Run|Create|Start|Stop|Remove|Update|Exec|Checkpoint)/;
const lastingMs = { change: 200, read: 100 };
/** An extension shorter than this is not worth telling. */
const leastMs = 50;

/**
 * To be called for each call of a client, with its name: has the unpacking of layers take less of the processors while
 * somebody waits for an answer, or for a pod.
 */
export function givesWay({ layersInFlight, giveWay, nowMs }: GivesWayOptions): (method: string) => void {
  let untilMs = Number.NEGATIVE_INFINITY;
  return (method) => {
    const ms = changes.test(method) ? lastingMs.change : lastingMs.read;
    const until = nowMs() + ms;
    if (until - untilMs < leastMs || layersInFlight() === 0) return;
    untilMs = until;
    // An engine that has ended unpacks nothing.
    giveWay(ms).catch(() => undefined);
  };
}
