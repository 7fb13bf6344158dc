/** The closed list of what can go wrong; `cri/status.ts` maps each kind to one gRPC code. */
export type ErrorKind =
  | 'invalid'
  | 'not-found'
  | 'exists'
  | 'wrong-state'
  | 'in-use'
  | 'denied'
  | 'exhausted'
  | 'unsupported'
  | 'unavailable'
  | 'registry-unavailable'
  | 'signature'
  | 'rro-unsupported'
  | 'image-volume'
  | 'corrupt'
  | 'timeout'
  | 'cancelled'
  | 'internal';

const kinds: ReadonlySet<string> = new Set<ErrorKind>([
  'invalid', 'not-found', 'exists', 'wrong-state', 'in-use', 'denied', 'exhausted', 'unsupported', 'unavailable',
  'registry-unavailable', 'signature',
  'rro-unsupported', 'image-volume', 'corrupt', 'timeout', 'cancelled', 'internal',
]);

/** The one error type of the runtime: `message` says what was tried, on which id, and what to do. */
export class RuntimeError extends Error {
  readonly kind: ErrorKind;

  constructor(kind: ErrorKind, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'RuntimeError';
    this.kind = kind;
  }
}

/** True when `error` is a RuntimeError of that kind. */
export function isKind(error: unknown, kind: ErrorKind): error is RuntimeError {
  return error instanceof RuntimeError && error.kind === kind;
}

/** Any thrown value as a RuntimeError: foreign errors become `internal`, aborts `cancelled`, their text kept. */
export function asRuntimeError(error: unknown): RuntimeError {
  if (error instanceof RuntimeError) return error;
  if (error instanceof Error) {
    const kind = error.name === 'AbortError' ? 'cancelled' : error.name === 'TimeoutError' ? 'timeout' : 'internal';
    return new RuntimeError(kind, error.message, error);
  }
  return new RuntimeError('internal', String(error));
}

/** The same failure with what was being done put before its message; the kind is kept. */
export function whileDoing(doing: string, error: unknown): RuntimeError {
  const inner = asRuntimeError(error);
  return new RuntimeError(inner.kind, `${doing}: ${inner.message}`, inner);
}

/** A kind that arrived over a frame, checked against the closed list; an unknown one counts as `internal`. */
export function errorKind(text: string): ErrorKind {
  return kinds.has(text) ? (text as ErrorKind) : 'internal';
}
