/** Whom layers are unpacked by, and the clock. */
export type GivesWayOptions = {
  layersInFlight: () => number;
  /** Has unpacking give way for so long. */
  giveWay: (ms: number) => Promise<unknown>;
  nowMs: () => number;
};

/** Longer than a pod's start leaves between two calls. */
const lastingMs = 200;
const tellEveryMs = 50;

/**
 * To be called for each call of a client: has the unpacking of layers take less of the processors while somebody waits for
 * an answer, or for a pod.
 */
export function givesWay({ layersInFlight, giveWay, nowMs }: GivesWayOptions): () => void {
  let toldMs = Number.NEGATIVE_INFINITY;
  return () => {
    const now = nowMs();
    if (now - toldMs < tellEveryMs || layersInFlight() === 0) return;
    toldMs = now;
    // An engine that has ended unpacks nothing.
    giveWay(lastingMs).catch(() => undefined);
  };
}
