import { chmodSync, lstatSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { basename, dirname, resolve } from 'node:path';
import { RuntimeError } from '../api/errors.ts';
import { holdFile } from '../host/lock.ts';

/** Longest path that fits sockaddr_un, in bytes. */
const MAX_SOCKET_PATH_BYTES = 107;

/** A socket that this process alone may serve. */
export type SocketClaim = {
  /** Where to listen: a path out of reach of everyone else, which `publish` then moves, or what is bound already. */
  at: { path: string } | { fd: number };
  /** Makes the bound socket 0600 and puts it in place, over a stale one, in one step. */
  publish(): void;
  /** Takes the socket away and gives the claim up. */
  withdraw(): void;
};

/**
 * Claims the unix socket named by `listen`, a path or `unix:///path`, by a lock beside it (`path.lock`). Throws
 * `in-use` when another process serves it, `invalid` when the path is too long or what is there is no socket.
 */
export async function claimSocket(listen: string): Promise<SocketClaim> {
  const path = resolve(listen.replace(/^unix:(\/\/(?=\/))?/, ''));
  const hidden = `${dirname(path)}/.${basename(path)}`;
  const bindPath = `${hidden}/s`;
  refuseLongPath(bindPath, listen);
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const letGo = holdFile(`${path}.lock`, `another berthd serves ${path}; stop it or choose another path`);
  try {
    await refuseOccupied(path);
    rmSync(hidden, { recursive: true, force: true });
    mkdirSync(hidden, { mode: 0o700 });
  } catch (error) {
    letGo();
    throw error;
  }
  const publish = (): void => {
    chmodSync(bindPath, 0o600);
    renameSync(bindPath, path);
    rmSync(hidden, { recursive: true });
  };
  const withdraw = (): void => {
    rmSync(path, { force: true });
    rmSync(hidden, { recursive: true, force: true });
    letGo();
  };
  return { at: { path: bindPath }, publish, withdraw };
}

/** The claim to a socket that a service manager has bound: where it is, its mode and its end are the manager's. */
export const handedClaim = (fd: number): SocketClaim => ({ at: { fd }, publish() {}, withdraw() {} });

function refuseLongPath(path: string, listen: string): void {
  const bytes = Buffer.byteLength(path);
  if (bytes <= MAX_SOCKET_PATH_BYTES) return;
  const excess = bytes - MAX_SOCKET_PATH_BYTES;
  throw new RuntimeError('invalid', `the socket path ${listen} is ${excess} bytes too long; choose a shorter one`);
}

/** A live server there may be a program that knows nothing of our lock. */
async function refuseOccupied(path: string): Promise<void> {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return;
  if (!found.isSocket()) throw new RuntimeError('invalid', `${path} is no socket; remove it or choose another path`);
  if (!(await answers(path))) return;
  throw new RuntimeError('in-use', `another server listens on ${path}; stop it or choose another path`);
}

function answers(path: string): Promise<boolean> {
  return new Promise((settle, fail) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      settle(true);
    });
    socket.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNREFUSED' || error.code === 'ENOENT') settle(false);
      else fail(error);
    });
  });
}
