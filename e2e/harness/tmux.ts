import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import type { Daemon } from './daemon.ts';
import { until } from './process.ts';

/** A real terminal with a program in it. */
export type Terminal = {
  /** Types keys as tmux names them, e.g. `C-c` or `Enter`. */
  readonly type: (...keys: readonly string[]) => void;
  readonly resize: (columns: number, rows: number) => void;
  /** Waits until the screen shows it. */
  readonly shows: (text: RegExp) => Promise<void>;
  readonly close: () => void;
};

/** Opens a terminal of 90 columns and 30 rows; when the program ends, the screen says `ended CODE`. */
export function openTerminal(daemon: Daemon, command: readonly string[]): Terminal {
  const socket = join(daemon.directory, `tmux-${performance.now()}`);
  const tmux = (...args: readonly string[]): string =>
    spawnSync('tmux', ['-S', socket, '-f', '/dev/null', ...args], { encoding: 'utf8' }).stdout;
  const quoted = command.map((word) => `'${word}'`).join(' ');
  tmux('new-session', '-d', '-x', '90', '-y', '30', `${quoted}; echo ended $?; sleep 60`);
  const screen = (): string => tmux('capture-pane', '-p');
  return {
    type: (...keys) => {
      tmux('send-keys', ...keys);
    },
    resize: (columns, rows) => {
      tmux('resize-window', '-x', `${columns}`, '-y', `${rows}`);
    },
    shows: async (text) => {
      try {
        await until(() => text.test(screen()), 60_000, `the terminal to show ${text}`);
      } catch (error) {
        throw new Error(`${(error as Error).message}; it shows\n${screen()}`, { cause: error });
      }
    },
    close: () => {
      tmux('kill-server');
    },
  };
}
