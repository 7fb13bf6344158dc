import type { ExecStatus, Resize } from '../../api/shim.ts';

/** Numbers of the channels of exec and attach in WebSocket messages; `close` is followed by the one to close (v5). */
export const CHANNEL = { stdin: 0, stdout: 1, stderr: 2, error: 3, resize: 4, close: 255 } as const;

/** How an exec or attach ended, as its client is told. */
export type Outcome = { exitCode: number } | { error: string };

/** The outcome in a shim's last packet; null is a stream that ended without one. */
export function outcomeOf(doing: 'exec' | 'attach', status: ExecStatus | null): Outcome {
  const failed = doing === 'exec' ? 'error executing command in container' : 'error attaching to container';
  if (!status) return { error: `${failed}: its stream broke off` };
  if (status.message !== undefined) return { error: `${failed}: ${status.message}` };
  return { exitCode: doing === 'exec' ? status.exitCode : 0 };
}

/** Protocols whose error channel carries a metav1.Status; in the older ones it is the bare message of a failure. */
export function hasStatus(protocol: string): boolean {
  return /^v[45]\./.test(protocol);
}

/** What the error channel says at the end; empty when it says nothing. */
export function errorText(outcome: Outcome, protocol: string): Buffer {
  const status = metaStatus(outcome);
  return Buffer.from(hasStatus(protocol) ? JSON.stringify(status) : (status.message ?? ''));
}

type MetaStatus = {
  metadata: Record<string, never>;
  status: 'Success' | 'Failure';
  message?: string;
  reason?: string;
  details?: { causes: { reason?: string; message: string }[] };
  code?: number;
};

/** As the kubelet says it (metav1.Status; the type of a cause is named `reason`). */
function metaStatus(outcome: Outcome): MetaStatus {
  if ('error' in outcome) {
    const causes = [{ message: outcome.error }];
    const message = `Internal error occurred: ${outcome.error}`;
    return { metadata: {}, status: 'Failure', message, reason: 'InternalError', details: { causes }, code: 500 };
  }
  const { exitCode } = outcome;
  if (exitCode === 0) return { metadata: {}, status: 'Success' };
  const causes = [{ reason: 'ExitCode', message: `${exitCode}` }];
  const message = `command terminated with non-zero exit code: exit status ${exitCode}`;
  return { metadata: {}, status: 'Failure', message, reason: 'NonZeroExitCode', details: { causes } };
}

/** Longest text that may wait to become a size, in characters. */
const MAX_WAITING = 1024;

/** A reader of a resize channel: JSON objects with Width and Height, one after the other, however they are cut. */
export function resizeReader(): (chunk: Buffer) => Resize[] {
  let text = '';
  return (chunk) => {
    text = (text + chunk.toString('latin1')).slice(-MAX_WAITING);
    const objects = text.match(/\{[^{}]*\}/g) ?? [];
    text = text.slice(text.lastIndexOf('}') + 1);
    return objects.map(sizeIn).filter((size) => size !== null);
  };
}

function sizeIn(json: string): Resize | null {
  const width = Number(/"width"\s*:\s*(\d{1,5})\b/i.exec(json)?.[1]);
  const height = Number(/"height"\s*:\s*(\d{1,5})\b/i.exec(json)?.[1]);
  return width <= 0xffff && height <= 0xffff ? { width, height } : null;
}
