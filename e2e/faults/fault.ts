import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Daemon } from '../harness/daemon.ts';
import { textOf } from '../harness/files.ts';
import { until } from '../harness/process.ts';
import { NOTHING, type Order, type Victim } from './order.ts';


/** The way to a daemon that was started with `env`. */
export type Fault = {
  env: Record<string, string>;
  /** Gives the order; effects count from when this resolves. */
  arm(daemon: Daemon, at: number, victim: Victim, delayMs?: number): Promise<void>;
  /** Gives the order to the daemon that is started next; effects count from the beginning. */
  armStart(at: number, victim: Victim): void;
  /** Takes the order back; resolves to the effect at which the victim was killed, if it had come to that. */
  disarm(daemon: Daemon): Promise<string | undefined>;
  /** Effects since the order, in their order. */
  effects(): string[];
  /** The effect at which the victim was killed; undefined when it has not come to that. */
  hit(): string | undefined;
  remove(): void;
};

/** Where a test and the daemon that it kills meet: a file with the order, one with the effects. */
export function fault(): Fault {
  const directory = mkdtempSync(join(tmpdir(), 'berth-fault-'));
  const orders = join(directory, 'order');
  const orderOf = (at: number, victim: Victim, delayMs = 0): Order => ({ id: randomUUID(), at, victim, delayMs });
  const lines = (): string[] => textOf(`${orders}.log`).split('\n').filter((line) => line !== '');
  const module = pathToFileURL(join(import.meta.dirname, 'inject.ts')).href;
  const arm: Fault['arm'] = async (daemon, at, victim, delayMs) => {
    const order = orderOf(at, victim, delayMs);
    writeFileSync(orders, JSON.stringify(order));
    process.kill(daemon.pid(), 'SIGUSR2');
    const taken = () => textOf(`${orders}.taken`) === order.id || !daemon.isRunning();
    await until(taken, 60_000, 'the daemon to take the order');
  };
  const hit = () => lines().find((line) => line.startsWith('hit '))?.slice('hit '.length);
  return {
    env: { BERTH_FAULT: orders, NODE_OPTIONS: `--import=${module}` },
    arm,
    armStart: (at, victim) => {
      rmSync(`${orders}.log`, { force: true });
      writeFileSync(`${orders}.first`, JSON.stringify(orderOf(at, victim)));
    },
    disarm: async (daemon) => {
      if (daemon.isRunning() && hit() === undefined) await arm(daemon, NOTHING, 'daemon');
      return hit();
    },
    effects: () => lines().filter((line) => !line.startsWith('hit ')),
    hit,
    remove: () => rmSync(directory, { recursive: true, force: true }),
  };
}
