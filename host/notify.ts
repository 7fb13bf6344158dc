import type { Log } from '../api/observe.ts';
import type { Engine } from './engine.ts';

/** The service manager that has started this process, told how it goes (sd_notify(3)); without one nothing happens. */
export type Service = {
  /** The process serves. From now on the manager's watchdog is fed, when it has one. */
  ready(): Promise<void>;
  /** The process ends by its own will. */
  stopping(): Promise<void>;
};

/** Finds the manager's socket in the environment. What cannot be told is logged: the manager acts on silence anyway. */
export function startedAs(env: NodeJS.ProcessEnv, parts: { pid: number; engine: Engine; log: Log }): Service {
  const { pid, engine, log } = parts;
  const socket = env['NOTIFY_SOCKET'] ?? '';
  const tell = async (state: string): Promise<void> => {
    if (socket === '') return;
    await engine.call('notify', { socket, pid, state }).catch((error: unknown) =>
      log.warn('the service manager was not told', { state, error: String(error) }),
    );
  };
  let feeding: NodeJS.Timeout | undefined;
  return {
    ready: async () => {
      await tell(`READY=1\nMAINPID=${pid}`);
      const everyMs = watchdogMs(env, pid);
      if (everyMs > 0) feeding = setInterval(() => void tell('WATCHDOG=1'), everyMs);
    },
    stopping: async () => {
      clearInterval(feeding);
      await tell('STOPPING=1');
    },
  };
}

/**
 * How often the watchdog wants to hear of process `pid`, in milliseconds: a third of its limit, so that one lost word
 * does no harm. 0 when there is none (sd_watchdog_enabled(3)).
 */
export function watchdogMs(env: NodeJS.ProcessEnv, pid: number): number {
  const limitUs = Number(env['WATCHDOG_USEC'] ?? 0);
  const forUs = env['WATCHDOG_PID'] === undefined || env['WATCHDOG_PID'] === String(pid);
  return forUs && env['NOTIFY_SOCKET'] && limitUs > 0 ? Math.max(1, Math.floor(limitUs / 3000)) : 0;
}
