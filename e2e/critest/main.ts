// Runs critest, the conformance suite of the CRI, against a berthd of its own and prints what passed, failed and skipped.
//
//   node e2e/critest/main.ts [--pass spdy|websocket|parallel]... [--focus REGEXP] [--peer containerd | --runtime crun|youki|runsc]
//
// Without --pass in all ways, one after the other.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { startDaemon, type Daemon } from '../harness/daemon.ts';
import { endDaemon } from '../harness/end.ts';
import { leaks, traces } from '../harness/leaks.ts';
import { removePod } from '../harness/pod.ts';
import { start, until } from '../harness/process.ts';
import { startRegistry } from '../harness/registry.ts';
import { tool } from '../harness/tools.ts';
import { imageStore } from '../images/store.ts';
import { handlers } from './handlers.ts';
import { passes, type Pass } from './passes.ts';
import { judge, specsIn } from './report.ts';

/** Specs that no runtime can pass offline and with Debian's busybox, each with its reason. */
const impossible: Record<string, string> = {
  'public image with digest': 'names a digest that only the internet has',
  MaskedPaths: "masks /bin/ls, but Debian's busybox shell has ls built in",
};

const { values: options } = parseArgs({
  options: { focus: { type: 'string' }, peer: { type: 'string' }, pass: { type: 'string', multiple: true }, runtime: { type: 'string' } },
});
const chosen = options.pass ?? Object.keys(passes);
const unknown = chosen.find((name) => !(name in passes));
if (unknown !== undefined) throw new Error(`no pass ${unknown}; there are ${Object.keys(passes).join(', ')}`);

const handler = options.runtime === undefined ? undefined : handlers[options.runtime];
if (options.runtime !== undefined && handler === undefined) throw new Error(`no runtime ${options.runtime}; there are ${Object.keys(handlers).join(', ')}`);
const focused = options.focus ?? handler?.focus;

let failures = 0;
const store = await imageStore();
const shared = mountShared();
const registry = await startRegistry({ directory: shared, storage: store.storage });
try {
  const runtime = options.peer === 'containerd' ? 'containerd' : 'berth';
  const config = join(shared, 'berth.toml');
  writeFileSync(config, handler?.toml() ?? '');
  // A runc of today, unless the environment names a runtime.
  const runc = process.env['BERTH_E2E_RUNTIME'] === undefined ? ['--runtime', `runc=${tool('runc')}`, '--default-runtime', 'runc'] : [];
  const args = ['--config', config, ...runc];
  const daemon = await startDaemon({ args, runtime, registries: [registry.host] });
  try {
    for (const name of chosen) {
      const pass = passes[name];
      if (pass !== undefined && !(await suite(daemon, name, pass))) failures++;
    }
  } finally {
    await endDaemon(daemon);
  }
} finally {
  await registry.stop();
  spawnSync('umount', ['-l', shared]);
  rmdirSync(shared);
}
process.exitCode = failures === 0 ? 0 : 1;

/** critest bind-mounts below its temporary directory and expects the pods to see it: that takes a shared mount. */
function mountShared(): string {
  const directory = `/tmp/berth-critest-${process.pid}`;
  mkdirSync(directory);
  spawnSync('mount', ['-t', 'tmpfs', 'berth-critest', directory]);
  spawnSync('mount', ['--make-shared', directory]);
  return directory;
}

/** Runs the suite in one way and prints its verdict; false when something failed that could pass, or was left behind. */
async function suite(daemon: Daemon, name: string, pass: Pass): Promise<boolean> {
  const baseline = traces(daemon);
  const startedMs = performance.now();
  const specs = specsIn(await critest(daemon, name, pass));
  const { ok, lines } = judge(name, specs, { impossible: { ...impossible, ...handler?.impossible }, whole: focused === undefined });
  console.log(`${lines.join('\n')} (${pass.about}) in ${((performance.now() - startedMs) / 1000).toFixed(0)} s`);
  // A spec that fails may leave its pod.
  for (const { id } of (await daemon.cri.call('ListPodSandbox', {})).items) await removePod(daemon, id);
  const left = await leaks(daemon, baseline);
  if (left.length > 0) console.log(`left behind:\n${left.map((trace) => `  ${trace}`).join('\n')}`);
  return ok && left.length === 0;
}

/** ginkgo's report of one run as JSON. */
async function critest(daemon: Daemon, name: string, { args }: Pass): Promise<string> {
  const report = join(shared, `${name}.json`);
  const log = join(shared, `${name}.log`);
  const common = ['-runtime-endpoint', daemon.endpoint, '-image-endpoint', daemon.endpoint, '--ginkgo.no-color', '--ginkgo.json-report', report];
  const focus = focused === undefined ? [] : ['--ginkgo.focus', focused];
  const by = options.runtime === undefined ? [] : ['-runtime-handler', options.runtime];
  const path = `${dirname(tool('ginkgo'))}:${process.env['PATH']}`;
  const running = start(tool('critest'), [...common, ...args, ...focus, ...by], log, { TMPDIR: shared, PATH: path });
  await until(() => running.ended() !== undefined, 20 * 60_000, 'critest to end');
  try {
    return readFileSync(report, 'utf8');
  } catch (error) {
    throw new Error(`critest wrote no report; the end of its output:\n${readFileSync(log, 'utf8').slice(-3000)}`, { cause: error });
  }
}
