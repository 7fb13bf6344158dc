import type { BlobSource, EngineCalls } from '../api/engine.ts';
import type { RuntimeError } from '../api/errors.ts';

/** Options of one call of the engine. */
export type CallOptions = {
  /** Aborting cancels the call in the engine too; it then fails as `cancelled`. */
  signal?: AbortSignal;
  /** Compressed bytes so far, for `fetchLayer`. */
  onProgress?: (bytes: bigint) => void;
  /** For `fetchLayer`: where to go on instead of a source that failed after so many bytes; undefined: nowhere. */
  onSourceLost?: (error: RuntimeError, bytes: bigint) => Promise<BlobSource | undefined>;
};

/** The running engine as the rest of berthd sees it; a call that the engine's death interrupts fails as `unavailable`. */
export type Engine = {
  call<N extends keyof EngineCalls>(
    name: N,
    ask: EngineCalls[N]['ask'],
    options?: CallOptions,
  ): Promise<EngineCalls[N]['reply']>;
  /** Process id of the engine that runs now. */
  pid(): number;
  /** True while no engine runs, between the end of one and the start of the next. */
  away(): boolean;
  /** Ends the engine; calls in flight fail as `unavailable`. */
  close(): Promise<void>;
};
