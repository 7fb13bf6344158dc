// Runs critest, the conformance suite of the CRI, against a berthd of its own and prints what passed and failed.
//
//   node e2e/critest.ts [--focus REGEXP] [--peer containerd] [--websocket]
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { discard, startDaemon, type Daemon } from './harness/daemon.ts';
import { leaks, ownProcesses, traces } from './harness/leaks.ts';
import { start, until } from './harness/process.ts';
import { startRegistry } from './harness/registry.ts';
import { tool } from './harness/tools.ts';
import { imageStore } from './images/store.ts';

/** Specs that no runtime can pass offline and with Debian's busybox, each with its reason. */
const impossible: Record<string, string> = {
  'public image with digest': 'names a digest that only the internet has',
  MaskedPaths: "masks /bin/ls, but Debian's busybox shell has ls built in",
};

type Spec = {
  LeafNodeType: string;
  LeafNodeText: string;
  ContainerHierarchyTexts: string[] | null;
  State: string;
  Failure?: { Message: string };
};

const { values: options } = parseArgs({
  options: { focus: { type: 'string' }, peer: { type: 'string' }, websocket: { type: 'boolean' } },
});
const daemonOptions = { args: ['--runtime', `runc=${tool('runc')}`, '--default-runtime', 'runc'] };
let passed = false;
const store = await imageStore();
const shared = mountShared();
const registry = await startRegistry({ directory: shared, storage: store.storage });
try {
  const runtime = options.peer === 'containerd' ? 'containerd' : 'berth';
  const daemon = await startDaemon({ ...daemonOptions, runtime, registries: [registry.host] });
  try {
    passed = await suite(daemon);
  } finally {
    await daemon.stop();
    for (const { pid } of ownProcesses(daemon)) process.kill(pid, 'SIGKILL');
    discard(daemon);
  }
} finally {
  await registry.stop();
  spawnSync('umount', ['-l', shared]);
  rmdirSync(shared);
}
process.exitCode = passed ? 0 : 1;

/** critest bind-mounts below its temporary directory and expects the pods to see it: that takes a shared mount. */
function mountShared(): string {
  const directory = `/tmp/berth-critest-${process.pid}`;
  mkdirSync(directory);
  spawnSync('mount', ['-t', 'tmpfs', 'berth-critest', directory]);
  spawnSync('mount', ['--make-shared', directory]);
  return directory;
}

async function suite(daemon: Daemon): Promise<boolean> {
  const baseline = traces(daemon);
  const report = join(shared, 'report.json');
  const log = join(shared, 'critest.log');
  const args = [
    '-runtime-endpoint',
    daemon.endpoint,
    '-image-endpoint',
    daemon.endpoint,
    '--ginkgo.no-color',
    '--ginkgo.json-report',
    report,
    ...(options.focus === undefined ? [] : ['--ginkgo.focus', options.focus]),
    ...(options.websocket === true ? ['-websocket-exec', '-websocket-attach', '-websocket-portforward'] : []),
  ];
  const critest = start(tool('critest'), args, log, { TMPDIR: shared });
  await until(() => critest.ended() !== undefined, 20 * 60_000, 'critest to end');
  const suites = JSON.parse(readFileSync(report, 'utf8')) as { SpecReports: Spec[] | null }[];
  const specs = suites.flatMap((each) => each.SpecReports ?? []).filter((spec) => spec.LeafNodeType === 'It');
  const ok = summarize(specs);
  const left = await leaks(daemon, baseline);
  if (left.length > 0) console.log(`left behind:\n${left.map((trace) => `  ${trace}`).join('\n')}`);
  return ok && left.length === 0;
}

/** Prints failures with their messages, then the counts; true when nothing failed that could pass. */
function summarize(specs: readonly Spec[]): boolean {
  const count = (state: string) => specs.filter((spec) => spec.State === state).length;
  const failures = specs.filter((spec) => !['passed', 'skipped', 'pending'].includes(spec.State));
  const nameOf = (spec: Spec) => [...(spec.ContainerHierarchyTexts ?? []), spec.LeafNodeText].join(' › ');
  const excuse = (spec: Spec) => Object.entries(impossible).find(([text]) => nameOf(spec).includes(text))?.[1];
  const message = (spec: Spec) =>
    (spec.Failure?.Message ?? '').trim().split('\n').slice(0, 4).join('\n    ').slice(0, 600);
  for (const spec of failures) console.log(`failed: ${nameOf(spec)}\n    ${excuse(spec) ?? message(spec)}`);
  const unexcused = failures.filter((spec) => excuse(spec) === undefined).length;
  console.log(
    `critest: ${count('passed')} passed, ${failures.length} failed (${unexcused} avoidable), ` +
      `${count('skipped')} skipped`,
  );
  return unexcused === 0 && count('passed') > 0;
}
