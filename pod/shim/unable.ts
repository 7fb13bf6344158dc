import { isKind } from '../../api/errors.ts';

/** A shim that is gone, hangs or has nothing left to do its work with: what it will not end is ended without it. */
export function isUnable(error: unknown): boolean {
  return isKind(error, 'unavailable') || isKind(error, 'timeout') || isKind(error, 'exhausted');
}
