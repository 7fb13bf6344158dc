import { overLimit } from '../api/errors.ts';

/** Largest answer, in bytes. Some clients take less, the kubelet and crictl 16 MiB: for them lists have their streamed form. */
export const MAX_REPLY_BYTES = 80 << 20;

/** Throws `exhausted` for an answer that would be larger; for a list it is asked before any byte of the answer is there. */
export function refuseLarge(bytes: number): void {
  if (bytes <= MAX_REPLY_BYTES) return;
  throw overLimit('maxReplyBytes', MAX_REPLY_BYTES, `the answer takes ${bytes} bytes: ask for less by a filter, or by the streamed form of the call`);
}
