import { fstatSync, write as writeFile, writeSync } from 'node:fs';
import { Writable } from 'node:stream';

/** Takes lines of a log and never makes the daemon wait for whoever reads or stores them. */
export type Output = {
  /** Where to write; every write is one line or several. */
  stream: Writable;
  /** Waits until everything is written, but not for longer than that. */
  flush(withinMs: number): Promise<void>;
};

export type OutputOptions = {
  /** Most that waits to be written, in bytes; a line beyond is dropped. */
  mostBytes?: number;
  /** A line was dropped. */
  onDrop(): void;
  /** There is room again, after so many dropped lines. */
  onRoom(lines: number): void;
};

/** Some hours of an idle daemon, or a few seconds of a busy one. */
const MOST_BYTES = 1 << 20;

/**
 * Writes to a descriptor in the background: a pipe or socket as its reader takes it, anything else (a file on a disk
 * that hangs, a stopped terminal) on a thread. What cannot be written, for want of room or by an error, is dropped.
 */
export function backgroundOutput(fd: number, { mostBytes = MOST_BYTES, onDrop, onRoom }: OutputOptions): Output {
  const append = appender(fd);
  const waiting: string[] = [];
  let [waitingBytes, dropped] = [0, 0];
  let writing: Promise<void> | undefined;

  function drop(): void {
    dropped++;
    onDrop();
  }

  function put(line: string): void {
    const bytes = Buffer.byteLength(line);
    if (waitingBytes + bytes > mostBytes) {
      drop();
      return;
    }
    waiting.push(line);
    waitingBytes += bytes;
    writing ??= drain().finally(() => {
      writing = undefined;
    });
  }

  async function drain(): Promise<void> {
    while (waiting.length > 0) {
      const lines = waiting.splice(0);
      const batch = Buffer.from(lines.join(''));
      const written = await append(batch);
      waitingBytes -= batch.length;
      if (!written) lines.forEach(drop);
      else if (dropped > 0) {
        const lost = dropped;
        dropped = 0;
        onRoom(lost);
      }
    }
  }

  // Whatever ends the process: its last words are those that are wanted.
  process.once('exit', () => {
    try {
      if (waiting.length > 0) writeSync(fd, waiting.join(''));
    } catch {
      // A full pipe: its reader has had its chance.
    }
  });

  return {
    stream: new Writable({
      decodeStrings: false,
      write: (line: string | Buffer, _, done) => {
        put(line.toString());
        done();
      },
    }),
    flush: async (withinMs) => {
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, withinMs);
      });
      await Promise.race([writing, late]);
      clearTimeout(timer);
    },
  };
}

type Append = (bytes: Buffer) => Promise<boolean>;

/** Appends all the bytes; false when that failed. */
function appender(fd: number): Append {
  const stat = fstatSync(fd);
  if (fd !== 2 || !(stat.isFIFO() || stat.isSocket())) return (bytes) => appendToFile(fd, bytes);
  // Node writes to these without blocking.
  process.stderr.on('error', () => undefined);
  return (bytes) => new Promise((resolve) => process.stderr.write(bytes, (error) => resolve(!error)));
}

function appendToFile(fd: number, bytes: Buffer): Promise<boolean> {
  return new Promise((resolve) => {
    writeFile(fd, bytes, (error, count) => {
      if (error) resolve(false);
      else if (count === bytes.length) resolve(true);
      else resolve(appendToFile(fd, bytes.subarray(count)));
    });
  });
}
