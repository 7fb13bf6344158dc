/** What waits for one reader. The writer never waits: a reader that lags too far behind loses its place, and is told so. */
export type EventQueue = {
  /** Appends; false once the queue has ended, be it because this was more than it may hold. */
  push(item: Buffer): boolean;
  /** Ends the queue: what waits is let go, the reader gets `reason` instead. */
  end(reason: unknown): void;
  /** Items in order, for one reader; throws the reason once the queue has ended, or that of `signal` when it aborts. */
  read(signal: AbortSignal): AsyncGenerator<Buffer>;
};

/** How much may wait. */
export type QueueBounds = { maxItems: number; maxBytes: number };

/** An empty queue; `overflow` makes the reason for a reader that was too slow. */
export function eventQueue(bounds: QueueBounds, overflow: () => unknown): EventQueue {
  let waiting: Buffer[] = [];
  let bytes = 0;
  let ended: { reason: unknown } | undefined;
  let wake = (): void => undefined;

  const end = (reason: unknown): void => {
    ended ??= { reason };
    waiting = [];
    wake();
  };
  return {
    end,
    push(item) {
      if (ended) return false;
      bytes += item.length;
      if (waiting.length >= bounds.maxItems || bytes > bounds.maxBytes) end(overflow());
      else waiting.push(item);
      wake();
      return ended === undefined;
    },
    async *read(signal) {
      const aborted = (): void => end(signal.reason);
      if (signal.aborted) aborted();
      signal.addEventListener('abort', aborted, { once: true });
      try {
        for (;;) {
          if (ended) throw ended.reason;
          const item = waiting.shift();
          bytes -= item?.length ?? 0;
          if (item) yield item;
          else await new Promise<void>((resolve) => (wake = resolve));
        }
      } finally {
        signal.removeEventListener('abort', aborted);
        end(new Error('nobody reads any more'));
      }
    },
  };
}
