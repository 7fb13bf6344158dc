// Boots the guest and runs stories or critest in it; ends with their exit status.
//
//   node e2e/guest/main.ts [--runtime runc|crun] [--driver systemd|cgroupfs] [STORY...]
//   node e2e/guest/main.ts [--runtime ...] [--driver ...] --all [--part N/M]
//   node e2e/guest/main.ts [--runtime ...] [--driver ...] --critest [--pass spdy|websocket|parallel] [--focus REGEXP]
//   node e2e/guest/main.ts --command COMMAND
//
// Without STORY the guest's own stories run, and those of `e2e/` that cgroup version 2 makes a difference to. --all runs
// every story there is, each file by itself so that what failed is told at once; --part the Nth of M parts of them, for they
// take hours. --smoke runs the short one that is part of `npm test`. --selinux boots with SELinux in place of AppArmor, and
// then runs the stories of that, or critest's SELinux specs.
import { globSync } from 'node:fs';
import { dirname } from 'node:path';
import { parseArgs } from 'node:util';
import { cache, repository } from '../harness/paths.ts';
import { tool } from '../harness/tools.ts';
import { imageStore } from '../images/store.ts';
import { guestImage, runInGuest } from './boot.ts';

/** Longest that a job may run in the guest, in milliseconds. */
const LIMIT_MS = 45 * 60_000;
/** The same for every story there is. */
const ALL_LIMIT_MS = 6 * LIMIT_MS;
/** Enforcing: see containers.cil for what that means. */
const selinuxKernel = ['selinux=1', 'security=selinux', 'enforcing=1'];
/** Stories that want the boot with SELinux, as no other does. */
const selinuxStories = 'e2e/guest/selinux.story.ts';
/** Stories that the guest cannot tell whole, and why. */
const beyond: Readonly<Record<string, string>> = {
  'e2e/activation.story.ts': 'a daemon takes longer to start there than a client waits for the first word of a connection; unit.story has its socket',
  'e2e/archive.story.ts': 'it has no skopeo, podman and buildah',
  'e2e/cli.story.ts': 'it has no tmux',
  'e2e/terminal.story.ts': 'it has no tmux',
  'e2e/events.story.ts': 'it has no nats-server',
};
/** Stories of every machine to which cgroup version 2 makes a difference. */
const sharedStories = ['metrics', 'oom', 'stats', 'update', 'user-namespace'];

const { values: options, positionals: stories } = parseArgs({
  allowPositionals: true,
  options: {
    runtime: { type: 'string', default: 'runc' },
    driver: { type: 'string', default: 'systemd' },
    all: { type: 'boolean', default: false },
    part: { type: 'string', default: '1/1' },
    smoke: { type: 'boolean' },
    selinux: { type: 'boolean', default: false },
    critest: { type: 'boolean' },
    focus: { type: 'string' },
    pass: { type: 'string', default: 'spdy' },
    command: { type: 'string' },
  },
});

const image = guestImage();
if (image === undefined) {
  console.log('guest: this machine cannot run it, as said above: nothing of systemd and cgroup version 2 is tested');
  process.exit(0);
}
const { storage } = await imageStore();
const aborted = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => aborted.abort());
const startedMs = performance.now();
const show = (text: string) => void process.stdout.write(text);
const status = await runInGuest(image, { script: script(), limitMs: options.all ? ALL_LIMIT_MS : LIMIT_MS, show, ...(options.selinux ? { kernel: selinuxKernel } : {}) }, aborted.signal).catch(
  (error: unknown) => {
    console.error((error as Error).message);
    return 1;
  },
);
console.log(`guest: ended with ${status} after ${((performance.now() - startedMs) / 1000).toFixed(0)} s`);
process.exitCode = status;

/** What the guest runs: the environment that tells the harness what to test, then one command. */
function script(): string {
  const environment = {
    BERTH_CACHE: cache,
    BERTH_PREBUILT: dirname(storage),
    BERTH_E2E_CGROUP_DRIVER: options.driver,
    BERTH_E2E_RUNTIME: runtime(options.runtime),
    NODE_COMPILE_CACHE: '/var/cache/berth',
  };
  const exports = Object.entries(environment).map(([name, value]) => `export ${name}=${quoted(value)}`);
  return [...exports, `cd ${quoted(repository)}`, '. e2e/guest/init', command(), ''].join('\n');
}

/** `NAME=PATH`: a runc of today, built here; crun is Debian's. */
function runtime(name: string): string {
  if (name === 'runc') return `runc=${tool('runc')}`;
  return name.includes('=') ? name : `${name}=/usr/bin/${name}`;
}

function command(): string {
  if (options.command !== undefined) return options.command;
  const node = quoted(process.execPath);
  if (options.critest === true) {
    for (const name of ['critest', 'ginkgo'] as const) tool(name);
    const wanted = options.focus ?? (options.selinux ? 'SELinux' : undefined);
    const focus = wanted === undefined ? '' : ` --focus ${quoted(wanted)}`;
    return `${node} e2e/critest/main.ts --pass ${options.pass}${focus}`;
  }
  tool('crictl');
  if (options.smoke !== true) tool('kubelet');
  const run = `${node} node_modules/ava/entrypoints/cli.js --config e2e/guest/ava.config.js`;
  if (options.all) return `failed=0; for story in ${partOf(everyStory()).map(quoted).join(' ')}; do ${run} $story || failed=1; done; (exit $failed)`;
  const chosen = stories.length > 0 ? stories : usualStories();
  return `${run} ${chosen.map(quoted).join(' ')}`;
}

function everyStory(): readonly string[] {
  for (const [story, why] of Object.entries(beyond)) console.log(`guest: without ${story}: ${why}`);
  const all = globSync(['e2e/*.story.ts', 'e2e/guest/*.story.ts', 'e2e/kubelet/*.story.ts'], { cwd: repository });
  return all.filter((path) => path !== selinuxStories && !(path in beyond)).sort();
}

/** Every Mth one from the Nth on, so that parts take about as long as each other. */
function partOf(all: readonly string[]): readonly string[] {
  const [part = 1, parts = 1] = options.part.split('/').map(Number);
  return all.filter((_, at) => at % parts === part - 1);
}

function usualStories(): readonly string[] {
  if (options.smoke === true) return ['e2e/guest/smoke.story.ts'];
  if (options.selinux) return [selinuxStories];
  return ['e2e/guest/*.story.ts', `!${selinuxStories}`, ...sharedStories.map((name) => `e2e/${name}.story.ts`)];
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
