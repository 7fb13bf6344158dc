import type { Readable, Writable } from 'node:stream';
import { finished } from 'node:stream/promises';

/** The client's side of an exec or attach, whatever carries it; null is what it does not carry. */
export type Client = {
  /** Ends when the client has said all. */
  stdin: Readable | null;
  stdout: Writable | null;
  stderr: Writable | null;
  /** Told the outcome, at the end. */
  error: Writable;
  resize: Readable | null;
  /** Finds out whether the client is there. */
  ping(): void;
  /** Says goodbye; what was written before arrives before. */
  close(): void;
};

/** Writes, and waits while the client takes no more; bytes for a stream that is gone are dropped. */
export async function write(to: Writable | null, bytes: Buffer): Promise<void> {
  if (!to?.writable || to.write(bytes)) return;
  await new Promise<void>((resolve) => {
    const done = (): void => {
      to.off('drain', done).off('close', done);
      resolve();
    };
    to.on('drain', done).on('close', done);
  });
}

/** Tells the outcome, ends what was written to, and closes. */
export async function finish(client: Client, outcome: Buffer): Promise<void> {
  const streams = [client.error, client.stdout, client.stderr].filter((stream) => stream !== null);
  if (outcome.length > 0 && client.error.writable) client.error.write(outcome);
  for (const stream of streams) stream.end();
  await Promise.allSettled(streams.map((stream) => finished(stream, { readable: false })));
  client.close();
}
