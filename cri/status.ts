import { status } from '@grpc/grpc-js';
import { asRuntimeError, type ErrorKind } from '../api/errors.ts';

/** What a failed call answers: the gRPC code and its one-line text. */
export type CallStatus = { code: status; details: string };

/**
 * One code for each kind. The kubelet acts on NOT_FOUND, UNIMPLEMENTED and DEADLINE_EXCEEDED; it looks for the prefixes
 * below, and only when their code is UNKNOWN does it see them.
 */
const codes: Record<ErrorKind, status> = {
  invalid: status.INVALID_ARGUMENT,
  'not-found': status.NOT_FOUND,
  exists: status.ALREADY_EXISTS,
  'wrong-state': status.FAILED_PRECONDITION,
  'in-use': status.FAILED_PRECONDITION,
  denied: status.PERMISSION_DENIED,
  exhausted: status.RESOURCE_EXHAUSTED,
  unsupported: status.UNIMPLEMENTED,
  'newer-format': status.FAILED_PRECONDITION,
  unavailable: status.UNAVAILABLE,
  'registry-unavailable': status.UNKNOWN,
  signature: status.UNKNOWN,
  'rro-unsupported': status.UNKNOWN,
  'image-volume': status.UNKNOWN,
  corrupt: status.DATA_LOSS,
  inconsistent: status.DATA_LOSS,
  timeout: status.DEADLINE_EXCEEDED,
  cancelled: status.CANCELLED,
  internal: status.INTERNAL,
};

/** Prefixes by which the kubelet tells causes of a failed pull or creation apart (cri-api, pkg/errors). */
const prefixes: Partial<Record<ErrorKind, string>> = {
  'registry-unavailable': 'RegistryUnavailable: ',
  signature: 'SignatureValidationFailed: ',
  'rro-unsupported': 'RROUnsupported: ',
  'image-volume': 'ImageVolumeMountFailed: ',
};

/** The answer to any thrown value. */
export function statusOf(error: unknown): CallStatus {
  const { kind, message } = asRuntimeError(error);
  return { code: codes[kind], details: oneLine((prefixes[kind] ?? '') + message) };
}

/** Name of a code as in the gRPC documentation, e.g. `NOT_FOUND`. */
export function codeName(code: status): string {
  return status[code];
}

const MAX_CHARACTERS = 4096;
const TAIL_CHARACTERS = 1024;

/**
 * Text fit for a gRPC trailer and a pod event: lines joined, broken surrogates replaced (percent-encoding refuses
 * them), and the middle left out when it is long, because the cause stands at the end.
 */
function oneLine(text: string): string {
  const line = text
    .split(/\s*[\r\n]+\s*/)
    .filter((part) => part !== '')
    .join('; ');
  if (line.length <= MAX_CHARACTERS) return line.toWellFormed();
  const head = line.slice(0, MAX_CHARACTERS - TAIL_CHARACTERS);
  return `${head} … ${line.slice(-TAIL_CHARACTERS)}`.toWellFormed();
}
