import { type ChildProcess, spawn } from 'node:child_process';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { crictlConfig } from './crictl.ts';
import type { Daemon } from './daemon.ts';
import { tool } from './tools.ts';

/** A crictl that carries streams, with its standard streams as pipes. */
export type Streaming = {
  readonly child: ChildProcess;
  readonly stdin: NodeJS.WritableStream;
  /** What it has printed so far. */
  readonly stdout: () => string;
  readonly stderr: () => string;
  /** Whether that ends so; cheap, so that who waits for the end of megabytes is not the one who is too slow for them. */
  readonly endsWith: (text: string) => boolean;
  /** Its exit code, null after a signal. */
  readonly ended: Promise<number | null>;
};

/** Starts crictl and leaves it running. */
export function startCrictl(daemon: Daemon, ...args: readonly string[]): Streaming {
  const child = spawn(tool('crictl'), ['--config', crictlConfig(daemon), ...args], { stdio: 'pipe' });
  const [stdout, stderr]: [Buffer[], Buffer[]] = [[], []];
  child.stdout.on('data', (bytes: Buffer) => stdout.push(bytes));
  child.stderr.on('data', (bytes: Buffer) => stderr.push(bytes));
  child.stdin.on('error', () => undefined);
  const ended = new Promise<number | null>((resolve) => {
    child.once('close', (code) => {
      resolve(code);
    });
  });
  return {
    child,
    stdin: child.stdin,
    stdout: () => Buffer.concat(stdout).toString(),
    stderr: () => Buffer.concat(stderr).toString(),
    endsWith: (text) => Buffer.concat(stdout.slice(-text.length)).toString().endsWith(text),
    ended,
  };
}

/** Asks a TCP port on loopback and returns the whole answer; nothing when the connection breaks off. */
export async function ask(port: number, question: string): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  socket.on('error', () => undefined);
  socket.end(question);
  return await text(socket).catch(() => '');
}

/** A WebSocket client of a URL that Exec, Attach or PortForward gave. */
export type Socket = {
  readonly protocol: string;
  /** Everything that came so far, by channel; text messages are decoded (base64). */
  readonly text: (channel: number) => string;
  readonly send: (channel: number, text: string) => void;
  /** Sends the v5 signal that ends a channel. */
  readonly end: (channel: number) => void;
  readonly close: () => void;
  readonly closed: Promise<void>;
};

/** Connects with one subprotocol, or none for ''. Rejects when the server refuses. */
export async function openSocket(url: string, protocol: string): Promise<Socket> {
  const socket = new WebSocket(url.replace(/^http/, 'ws'), protocol === '' ? [] : [protocol]);
  socket.binaryType = 'arraybuffer';
  const base64 = protocol.includes('base64');
  const channels = new Map<number, Buffer[]>();
  socket.addEventListener('message', ({ data }: { data: ArrayBuffer | string }) => {
    const message = typeof data === 'string' ? Buffer.from(data) : Buffer.from(data);
    const channel = base64 ? Number(message.toString('latin1', 0, 1)) : message.readUInt8(0);
    const body = message.subarray(1);
    const bytes = base64 ? Buffer.from(body.toString(), 'base64') : body;
    channels.set(channel, [...(channels.get(channel) ?? []), bytes]);
  });
  const closed = new Promise<void>((resolve) => {
    socket.addEventListener('close', () => {
      resolve();
    });
  });
  await new Promise<void>((resolve, reject) => {
    socket.addEventListener('open', () => {
      resolve();
    });
    socket.addEventListener('error', () => {
      reject(new Error(`no WebSocket with protocol "${protocol}"`));
    });
  });
  return {
    protocol: socket.protocol,
    text: (channel) => Buffer.concat(channels.get(channel) ?? []).toString(),
    send: (channel, text) => {
      if (base64) socket.send(`${channel}${Buffer.from(text).toString('base64')}`);
      else socket.send(Buffer.concat([Buffer.from([channel]), Buffer.from(text)]));
    },
    end: (channel) => {
      socket.send(Buffer.from([255, channel]));
    },
    close: () => {
      socket.close();
    },
    closed,
  };
}
