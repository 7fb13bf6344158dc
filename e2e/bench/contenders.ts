import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Daemon } from '../harness/daemon.ts';
import type { Subject } from './images.ts';
import { cpuSeconds, memoryMiB, peak } from './processes.ts';

const execute = promisify(execFile);

/** What one pull took; memory where a daemon did it. */
export type Pulled = { ms: number; cpuSeconds: number; memoryMiB: number; syncMs: number };
/** Who pulls: a runtime, or curl and tar. */
export type Contender = {
  readonly name: string;
  /** Pulls what it has not from the registry at `host`; what it leaves to be written to the disk is written then, uncounted. */
  pull(subject: Subject, host: string): Promise<Pulled>;
};

/** A runtime, through its CRI socket. */
export function runtimeContender(name: string, daemon: Daemon): Contender {
  return {
    name,
    async pull(subject, host) {
      const image = `${host}/${subject.image}`;
      const [pid, before] = [daemon.pid(), cpuSeconds(daemon.pid())];
      const memory = peak(() => memoryMiB(pid));
      const fromMs = performance.now();
      await daemon.cri.call('PullImage', { image: { image } }, 300_000);
      const ms = performance.now() - fromMs;
      const pulled = { ms, cpuSeconds: cpuSeconds(pid) - before, memoryMiB: memory(), syncMs: 0 };
      spawnSync('sync');
      return pulled;
    },
  };
}

/** `curl | tar` of each layer, side by side: what the tools at hand take for the same bytes, without any check. */
export function floor(directory: string): Contender {
  return {
    name: 'curl | tar',
    async pull({ blobs }, host) {
      const into = mkdtempSync(join(directory, 'floor-'));
      const layers = blobs.map(({ path, compression }, i) => {
        const to = join(into, String(i));
        return `mkdir ${to} && curl -sSf http://${host}${path} | tar -x -p --${compression} -C ${to}`;
      });
      const timed = await sideBySide(layers);
      const fromMs = performance.now();
      spawnSync('sync', ['-f', into]);
      const syncMs = performance.now() - fromMs;
      spawnSync('sync');
      return { ...timed, syncMs };
    },
  };
}

/** `curl` of each layer, side by side, to nowhere: the time of the wire itself. */
export function onlyFetched(): Contender {
  return {
    name: 'curl',
    pull: ({ blobs }, host) => sideBySide(blobs.map(({ path }) => `curl -sSf -o /dev/null http://${host}${path}`)),
  };
}

async function sideBySide(commands: readonly string[]): Promise<Pulled> {
  const script = `set -o pipefail; TIMEFORMAT='%3R %3U %3S'; time { ${commands.map((command) => `{ ${command}; } &`).join('\n')}\n wait; }`;
  const { stderr } = await execute('bash', ['-c', script]);
  const [seconds = Number.NaN, user = 0, system = 0] = stderr.trim().split(' ').map(Number);
  if (Number.isNaN(seconds)) throw new Error(`${commands[0]} failed: ${stderr}`);
  return { ms: seconds * 1000, cpuSeconds: user + system, memoryMiB: 0, syncMs: 0 };
}
