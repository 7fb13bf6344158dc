// Loaded into berthd before all of its own modules (node --import): counts every effect that it has on the world (a call
// of engine or shim sent, its answer received, a commit, a change of files) and ends it, its engine or both at the one
// that the test names. Nothing in berthd knows of it, and no effect can be forgotten.
import childProcess from 'node:child_process';
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { Socket } from 'node:net';
import { basename } from 'node:path';
import { StatementSync } from 'node:sqlite';
import { NOTHING, type Order, type Victim } from './order.ts';

const orders = process.env['BERTH_FAULT'] ?? '';
const { existsSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } = fs;

/** Calls without effect, made at any time. */
const reads = new Set(['hello', 'sample', 'diskUsage', 'statfs', 'cancel']);

let order: Order | undefined;
let count = 0;
let enginePid = 0;
/** Of the newest pod; 0 once that was told to quit. */
let shimPid = 0;
let effects = -1;
let late: NodeJS.Timeout | undefined;

function effect(name: string): void {
  if (order === undefined) return;
  count += 1;
  writeSync(effects, `${name}\n`);
  if (count !== order.at) return;
  const { victim, delayMs } = order;
  if (delayMs === 0) end(victim, name);
  else late = setTimeout(() => end(victim, `${name}, ${delayMs} ms ago`), delayMs);
}

function end(victim: Victim, name: string): void {
  order = undefined;
  writeSync(effects, `hit ${name}\n`);
  if (victim === 'shim' && shimPid > 0) process.kill(shimPid, 'SIGKILL');
  if (victim === 'engine' || victim === 'both') process.kill(enginePid, 'SIGKILL');
  if (victim === 'daemon' || victim === 'both') process.kill(process.pid, 'SIGKILL');
}

process.on('SIGUSR2', () => take(JSON.parse(readFileSync(orders, 'utf8')) as Order));

function take(given: Order): void {
  clearTimeout(late);
  order = given.at === NOTHING ? undefined : given;
  if (order !== undefined) effects = openSync(`${orders}.log`, 'w');
  count = 0;
  writeFileSync(`${orders}.taken`, given.id);
}

/** An order for the start itself is there before it. */
function takeFirst(): void {
  const first = `${orders}.first`;
  if (!existsSync(first)) return;
  take(JSON.parse(readFileSync(first, 'utf8')) as Order);
  rmSync(first);
}

type Frame = { id?: number; call?: string; path?: string; env?: Record<string, string>; event?: string; ok?: { pid?: number } };

/** Calls by number that wait for their answer, of each connection to engine or shim. */
const calls = new WeakMap<Socket, Map<number, string>>();

const { write } = Socket.prototype;
Socket.prototype.write = function (this: Socket, ...args: Parameters<typeof write>): boolean {
  const sent = write.apply(this, args);
  const [frame] = framesIn(args[0]);
  if (frame?.call !== undefined && !reads.has(frame.call)) {
    waitingOn(this).set(frame.id ?? 0, nameOf(frame));
    effect(`${nameOf(frame)} sent`);
  }
  return sent;
} as typeof write;

function waitingOn(socket: Socket): Map<number, string> {
  const known = calls.get(socket);
  if (known !== undefined) return known;
  const waiting = new Map<number, string>();
  calls.set(socket, waiting);
  const { emit } = socket;
  socket.emit = (event: string | symbol, ...args: unknown[]): boolean => {
    if (event === 'data') for (const frame of framesIn(args[0])) if (frame.event === undefined) answered(waiting, frame);
    return emit.call(socket, event, ...args);
  };
  return waiting;
}

function answered(waiting: Map<number, string>, { id = 0, ok }: Frame): void {
  const name = waiting.get(id);
  if (name === undefined) return;
  if (name === 'spawnShim') shimPid = ok?.pid ?? 0;
  if (name === 'quit') shimPid = 0;
  waiting.delete(id);
  effect(`${name} answered`);
}

function nameOf({ call = '', path, env }: Frame): string {
  return path === undefined || call !== 'run' ? call : `${call} ${basename(path)} ${env?.['CNI_COMMAND'] ?? ''}`.trimEnd();
}

/** The whole frames of a chunk; other bytes are none. */
function framesIn(chunk: unknown): Frame[] {
  const frames: Frame[] = [];
  if (!Buffer.isBuffer(chunk)) return frames;
  for (let at = 0; at + 5 <= chunk.length; ) {
    const end = at + 4 + chunk.readUInt32LE(at);
    if (end > chunk.length || chunk[at + 4] !== 0x7b) break;
    frames.push(JSON.parse(chunk.toString('utf8', at + 4, end)) as Frame);
    at = end;
  }
  return frames;
}

const { run } = StatementSync.prototype;
StatementSync.prototype.run = function (this: StatementSync, ...values: Parameters<typeof run>) {
  const result = run.apply(this, values);
  effect(`commit ${this.sourceSQL.trim().split(/\s+/).slice(0, 3).join(' ')}`);
  return result;
} as typeof run;

for (const name of ['mkdirSync', 'writeFileSync', 'renameSync', 'unlinkSync', 'rmSync', 'rmdirSync'] as const) {
  const original = fs[name] as (...args: unknown[]) => unknown;
  Object.assign(fs, {
    [name]: (...args: unknown[]) => {
      const result = original(...args);
      effect(`${name} ${basename(String(args[0]))}`);
      return result;
    },
  });
}
for (const name of ['mkdir', 'writeFile', 'rename', 'unlink', 'rm', 'rmdir'] as const) {
  const original = fs.promises[name] as (...args: unknown[]) => Promise<unknown>;
  Object.assign(fs.promises, {
    [name]: async (...args: unknown[]) => {
      const result = await original(...args);
      effect(`${name} ${basename(String(args[0]))}`);
      return result;
    },
  });
}

const { spawn } = childProcess;
Object.assign(childProcess, {
  spawn: (command: string, args: string[], options: object) => {
    const child = spawn(command, args, options);
    if (args[0] === 'engine') enginePid = child.pid ?? 0;
    return child;
  },
});
syncBuiltinESMExports();
takeFirst();
