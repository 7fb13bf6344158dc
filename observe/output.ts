import { constants, fstatSync, openSync, write as writeFile, writeSync } from 'node:fs';
import { Socket } from 'node:net';
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

const STDERR = 2;

/** Some hours of an idle daemon, or a few seconds of a busy one. */
const MOST_BYTES = 1 << 20;

/**
 * Writes to standard error in the background: a pipe or socket as its reader takes it, anything else (a file on a disk
 * that hangs, a stopped terminal) on a thread. What cannot be written, for want of room or by an error, is dropped.
 */
export function backgroundOutput({ mostBytes = MOST_BYTES, onDrop, onRoom }: OutputOptions): Output {
  const { fd, append } = targetOf(STDERR);
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

/** Appends all the bytes; false when that failed. */
type Append = (bytes: Buffer) => Promise<boolean>;

type Target = { fd: number; append: Append };

/** How to write to what standard error is. */
function targetOf(fd: number): Target {
  const stat = fstatSync(fd);
  if (stat.isFIFO()) return pipe(fd);
  return { fd, append: stat.isSocket() ? appendTo(process.stderr) : (bytes) => appendToFile(fd, bytes) };
}

/** The pipe opened anew: whoever else has it may switch it to blocking, as a child process does that gets it from Node. */
function pipe(shared: number): Target {
  const fd = openSync(`/proc/self/fd/${shared}`, constants.O_WRONLY | constants.O_NONBLOCK);
  return { fd, append: appendTo(new Socket({ fd, readable: false, writable: true })) };
}

/** Node writes to pipes and sockets without blocking, unless others make them block. */
function appendTo(stream: Writable): Append {
  stream.on('error', () => undefined);
  return (bytes) => new Promise((resolve) => stream.write(bytes, (error) => resolve(!error)));
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
