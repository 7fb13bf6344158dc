import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** A server under test, its output in a file. */
export type Running = {
  readonly pid: number;
  readonly logPath: string;
  /** The exit code, or the name of the signal; undefined while it runs. */
  readonly ended: () => string | undefined;
  /** Sends SIGTERM, after `graceMs` SIGKILL, and waits for the end. */
  readonly stop: (graceMs?: number) => Promise<void>;
  /** Sends SIGKILL and waits for the end. */
  readonly kill: () => Promise<void>;
};

/** Starts a program in a process group of its own with its output appended to `logPath`. */
export function start(
  command: string,
  args: readonly string[],
  logPath: string,
  env: Record<string, string> = {},
): Running {
  const log = openSync(logPath, 'a');
  const child = spawn(command, args, { stdio: ['ignore', log, log], detached: true, env: { ...process.env, ...env } });
  closeSync(log);
  let ended: string | undefined;
  child.once('error', (error) => {
    ended = error.message;
  });
  child.once('exit', (code, signal) => {
    ended = signal ?? String(code);
  });
  const dead = () => until(() => ended !== undefined, 60_000, `${command} to end`);
  const kill = async () => {
    signalIfAlive(child, 'SIGKILL');
    await dead();
  };
  const stop = async (graceMs = 10_000) => {
    signalIfAlive(child, 'SIGTERM');
    await until(() => ended !== undefined, graceMs, `${command} to end`).catch(kill);
  };
  return { pid: child.pid ?? -1, logPath, ended: () => ended, stop, kill };
}

function signalIfAlive(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.exitCode === null && child.signalCode === null) child.kill(signal);
}

/** Resolves when the server is ready; rejects with the end of its log when it ends or `timeoutMs` pass before. */
export async function ready(
  server: Running,
  isReady: () => Promise<boolean> | boolean,
  timeoutMs = 60_000,
): Promise<void> {
  const tail = () => readFileSync(server.logPath, 'utf8').split('\n').slice(-30).join('\n');
  try {
    await until(
      async () => {
        if (server.ended() !== undefined) throw new Error(`it ended with ${server.ended()}`);
        return await isReady();
      },
      timeoutMs,
      'the server to be ready',
    );
  } catch (error) {
    await server.kill();
    throw new Error(`${(error as Error).message}; the end of ${server.logPath}:\n${tail()}`, { cause: error });
  }
}

/** Polls until `condition` holds; rejects after `timeoutMs`, naming what was waited for. */
export async function until(
  condition: () => Promise<boolean> | boolean,
  timeoutMs: number,
  what: string,
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`waited ${timeoutMs} ms in vain for ${what}`);
    await sleep(20);
  }
}

/** Below the ports that the kernel gives to whoever names none (ip_local_port_range). */
const ports = { first: 10_000, count: 18_000, perProcess: 64 };
let nextPort = process.pid * ports.perProcess;

/**
 * A TCP port that is free now, and that nobody takes before it is used: neither a connection that goes out nor, as each
 * process has its own, another test.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = ports.first + (nextPort++ % ports.count);
    if (await isFree(port)) return port;
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer().once('error', () => resolve(false));
    server.listen(port, () => server.close(() => resolve(true)));
  });
}

/** Whether somebody accepts connections there. */
export function listens(address: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, address, () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
