// Measures Berth against containerd in alternating rounds, with the same runc, and writes docs/benchmarks.md.
//
//   node e2e/bench.ts [--rounds 3] [--n 20] [--pods 50] [--restart 100] [--only berth|containerd]
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, release, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { sectionOf } from './bench/page.ts';
import { startDaemon, type Daemon } from './harness/daemon.ts';
import { readFigures, report, type Figures } from './harness/figures.ts';
import { endDaemon } from './harness/end.ts';
import { repository } from './harness/paths.ts';
import { startRegistry } from './harness/registry.ts';
import { restartMs, startUpMs } from './harness/startup.ts';
import { tool } from './harness/tools.ts';
import { imageStore } from './images/store.ts';

type Runtime = 'berth' | 'containerd';
const processNames: Record<Runtime, string> = {
  berth: 'berthd,berth-engine,berth-shim',
  containerd: 'containerd,containerd-shim',
};
const pulled = 'registry.k8s.io/e2e-test-images/busybox:1.29-2,docker.io/berth/bulk:1';

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    n: { type: 'string', default: '20' },
    pods: { type: 'string', default: '50' },
    restart: { type: 'string', default: '100' },
    only: { type: 'string' },
  },
});
const pagePath = join(repository, 'docs/benchmarks.md');
const runtimes = (['berth', 'containerd'] as const).filter(
  (name) => options.only === undefined || options.only === name,
);

const directory = mkdtempSync(join(tmpdir(), 'berth-bench-'));
const registry = await startRegistry({ directory, storage: (await imageStore()).storage });
const figures: Record<Runtime, Figures[]> = { berth: [], containerd: [] };
try {
  for (let round = 1; round <= Number(options.rounds); round += 1) {
    for (const runtime of runtimes) figures[runtime].push(await measure(runtime, round));
  }
} finally {
  await registry.stop();
  rmSync(directory, { recursive: true, force: true });
}
const table = report(figures.berth, figures.containerd);
console.log(`\n${table}`);
if (options.only === undefined) {
  const others = ['Pulls', 'Soak'].map((heading) => sectionOf(readFileSync(pagePath, 'utf8'), heading).trim());
  writeFileSync(pagePath, `${[page(table).trim(), ...others.filter((section) => section !== '')].join('\n\n')}\n`);
}

/** One run of cribench against a daemon started for it. */
async function measure(runtime: Runtime, round: number): Promise<Figures> {
  console.log(`\n--- ${runtime}, round ${round}`);
  const daemon = await startDaemon({
    runtime,
    registries: [registry.host],
    args: ['--runtime', `runc=${tool('runc')}`, '--default-runtime', 'runc'],
  });
  try {
    const args = [
      '-endpoint',
      daemon.endpoint,
      '-procs',
      processNames[runtime],
      '-pull',
      pulled,
      '-logs',
      daemon.podLogs,
      '-n',
      String(options.n),
      '-pods',
      String(options.pods),
    ];
    const output = execFileSync(tool('cribench'), args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
    console.log(output);
    const restart = await restartMs(daemon, Number(options.restart));
    await daemon.stop();
    const ready = await startUpMs(daemon, runtime === 'berth');
    const starts = `start.ready ${ready.toFixed(0)} ms\nrestart.listed ${restart.toFixed(0)} ms`;
    console.log(starts);
    return readFigures(`${output}\n${starts}`);
  } finally {
    await end(daemon);
  }
}

async function end(daemon: Daemon): Promise<void> {
  await endDaemon(daemon);
  spawnSync('sh', ['-c', 'find /sys/fs/cgroup -depth -type d -path "/sys/fs/cgroup*/bench*" -exec rmdir {} ";"'], {
    stdio: 'ignore',
  });
}

function page(measured: string): string {
  const version = (path: string) => execFileSync(path, ['--version'], { encoding: 'utf8' }).split('\n')[0] ?? '';
  return `# Benchmarks

What a kubelet waits for, measured through the CRI socket by \`e2e/tools/cribench\`: ${options.n} pods one after the
other, then ${options.pods} side by side; and a daemon killed while ${options.restart} pods ran. Each pod has one container as the kubelet makes it: limits, the runtime's
seccomp profile, no new privileges, five mounts, service environment, a CNI network (bridge, host-local, portmap).
Medians of ${options.rounds} rounds, the runtimes taking turns, each round with a daemon just started. Memory is the
proportional set size of daemon, helpers and shims.

\`npm run bench\` writes this page.

- machine: ${cpus().length} × ${cpus()[0]?.model ?? 'CPU'}, ${Math.round(totalmem() / 2 ** 30)} GiB, Linux ${release()}
- peer: ${version(tool('containerd'))}
- OCI runtime under both: ${version(tool('runc'))}
- measured: ${new Date().toISOString().slice(0, 10)}

${measured}
`;
}
