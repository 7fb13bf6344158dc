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
  | 'newer-format'
  | 'unavailable'
  | 'registry-unavailable'
  | 'signature'
  | 'rro-unsupported'
  | 'image-volume'
  | 'corrupt'
  | 'inconsistent'
  | 'timeout'
  | 'cancelled'
  | 'internal';

const kinds: ReadonlySet<string> = new Set<ErrorKind>([
  'invalid', 'not-found', 'exists', 'wrong-state', 'in-use', 'denied', 'exhausted', 'unsupported', 'newer-format', 'unavailable',
  'registry-unavailable', 'signature',
  'rro-unsupported', 'image-volume', 'corrupt', 'inconsistent', 'timeout', 'cancelled', 'internal',
]);

/** The one error type of the runtime: `message` says what was tried, on which id, and what to do. */
export class RuntimeError extends Error {
  readonly kind: ErrorKind;
  /** The limit that was met, where it was one of ours. */
  limit: string | undefined;

  constructor(kind: ErrorKind, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'RuntimeError';
    this.kind = kind;
    this.limit = cause instanceof RuntimeError ? cause.limit : undefined;
  }
}

/** A refusal because of the limit of that name, which stands in its message with its value. */
export function overLimit(name: string, value: number, message: string): RuntimeError {
  const error = new RuntimeError('exhausted', `${message} (limit ${name}, ${value})`);
  error.limit = name;
  return error;
}

/** True when `error` is a RuntimeError of that kind. */
export function isKind(error: unknown, kind: ErrorKind): error is RuntimeError {
  return error instanceof RuntimeError && error.kind === kind;
}

/** Any thrown value as a RuntimeError, its text kept: aborts are `cancelled`, a machine that has no more to give is `exhausted`, all else is `internal`. */
export function asRuntimeError(error: unknown): RuntimeError {
  if (error instanceof RuntimeError) return error;
  if (error instanceof Error) return new RuntimeError(foreignKind(error), error.message, error);
  return new RuntimeError('internal', String(error));
}

/** What the system says when disk space, inodes, descriptors, memory or processes are used up (errno(3)). */
const used = new Set(['ENOSPC', 'EDQUOT', 'EMFILE', 'ENFILE', 'ENOMEM', 'EAGAIN']);

/** Results of SQLite (sqlite3.h, SQLITE_FULL and SQLITE_NOMEM) that say the same. */
const SQLITE_FULL = 13;
const SQLITE_NOMEM = 7;

function foreignKind(error: Error & { code?: unknown; errcode?: unknown }): ErrorKind {
  if (error.name === 'AbortError') return 'cancelled';
  if (error.name === 'TimeoutError') return 'timeout';
  const isUsedUp = used.has(String(error.code)) || error.errcode === SQLITE_FULL || error.errcode === SQLITE_NOMEM;
  return isUsedUp ? 'exhausted' : 'internal';
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
