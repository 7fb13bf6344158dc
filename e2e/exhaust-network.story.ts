import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type ServiceError, status } from '@grpc/grpc-js';
import test, { type ExecutionContext } from 'ava';
import { namesIn } from './harness/files.ts';
import { exitOf, podConfig, removePod, runPod, runScript } from './harness/pod.ts';
import { until } from './harness/process.ts';
import { story } from './harness/story.ts';

/** The last plugin of the chain: does to ADD and to DEL, of all pods or of one, what the file of that name says, else passes the result on. */
const odd = `#!/bin/sh
echo "$CNI_COMMAND $CNI_CONTAINERID" >>"$0.calls"
case $(cat "$0.$CNI_COMMAND" "$0.$CNI_COMMAND.$CNI_CONTAINERID" 2>/dev/null) in
  fails) echo '{"cniVersion":"1.0.0","code":103,"msg":"no such thing","details":"it was told to"}'; exit 1;;
  garbage) echo '<html>'; exit 0;;
  flood) head -c 10485760 /dev/zero | tr '\\0' x; exit 0;;
  signal) kill -9 $$;;
  closed) exec >&- 2>&-; exit 0;;
  hangs) exec sleep 1000;;
esac
[ "$CNI_COMMAND" != ADD ] || sed 's/.*"prevResult"://; s/}$//'
`;

const args: string[] = [];
let plugin = '';

test.afterEach.always('the plugin is sound again', () => {
  for (const name of ['ADD', 'calls']) rmSync(`${plugin}.${name}`, { force: true });
});
const stage = story({
  daemon: {
    args,
    prepare: ({ directory }) => {
      const plugins = join(directory, 'plugins');
      mkdirSync(plugins);
      plugin = join(plugins, 'odd');
      writeFileSync(plugin, odd, { mode: 0o755 });
      // Long enough for the sound plugins on a machine with much other work.
      args.push('--cni-plugin-dirs', `${plugins},/opt/cni/bin,/usr/lib/cni`, '--cni-timeout', '10s');
    },
  },
});

test.before('the network has the odd plugin in its chain and two addresses', () => {
  const { network } = stage().daemon;
  const path = join(network.configDirectory, '10-e2e.conflist');
  const list = JSON.parse(readFileSync(path, 'utf8')) as { plugins: Record<string, unknown>[] };
  const subnet = network.gateway.replace(/\.1$/, '');
  for (const each of list.plugins) {
    if (!('ipam' in each)) continue;
    Object.assign(each['ipam'] as object, { ranges: [[{ subnet: `${subnet}.0/24`, rangeStart: `${subnet}.2`, rangeEnd: `${subnet}.3` }]] });
  }
  writeFileSync(path, JSON.stringify({ ...list, cniVersions: undefined, cniVersion: '1.0.0', plugins: [...list.plugins, { type: 'odd' }] }));
});
const addresses = (): string[] => namesIn(stage().daemon.network.addressDirectory).filter((name) => /^\d+\./.test(name));

async function refusal(t: ExecutionContext, call: Promise<unknown>): Promise<ServiceError> {
  const error = await t.throwsAsync<ServiceError>(call);
  if (error === undefined) throw new Error('the call was not refused');
  return error;
}

test('with no address left a pod is refused as such, and runs when another has gone', async (t) => {
  const { daemon } = stage();
  const [first] = [await runPod(daemon, 'first'), await runPod(daemon, 'second')];
  const config = podConfig(daemon, 'third');
  const error = await refusal(t, daemon.cri.call('RunPodSandbox', { config }));
  t.is(error.code, status.RESOURCE_EXHAUSTED);
  t.regex(error.details, /network berth-e2e-\w+: CNI ADD by bridge failed .*no IP addresses available/);
  t.is((await daemon.cri.call('ListPodSandbox', {})).items.length, 2);
  await removePod(daemon, first.id);
  await daemon.cri.call('RunPodSandbox', { config });
  t.is(addresses().length, 2);
});

const faults: [string, RegExp][] = [
  ['fails', /CNI ADD by odd failed \(code 103\): no such thing; it was told to/],
  ['garbage', /CNI ADD by odd printed no result but "<html>"/],
  ['flood', /CNI ADD by odd printed no result but more than 1 MiB/],
  ['signal', /CNI ADD by odd ended with signal 9/],
  ['closed', /CNI ADD by odd printed no result/],
];
for (const [order, said] of faults) {
  test(`a pod whose CNI plugin ${order} is refused with the plugin's name, and what was made for it is undone`, async (t) => {
    const { daemon } = stage();
    const beside = await runPod(daemon, 'beside');
    rmSync(`${plugin}.calls`);
    writeFileSync(`${plugin}.ADD`, order);
    const config = podConfig(daemon, 'refused');
    const error = await refusal(t, daemon.cri.call('RunPodSandbox', { config }));
    t.is(error.code, status.INTERNAL);
    t.regex(error.details, said);
    t.is((await daemon.cri.call('ListPodSandbox', {})).items.length, 1);
    t.is(addresses().length, 1, 'the address of the refused pod is given back');
    const calls = readFileSync(`${plugin}.calls`, 'utf8').trim().split('\n');
    const refused = calls.filter((call) => !call.endsWith(beside.id)).map((call) => call.split(' ')[0]);
    t.deepEqual(refused.slice(0, 2), ['ADD', 'DEL']);
    t.is((await exitOf(daemon, await runScript(daemon, beside, 'c', 'exit 4'))).exit_code, 4);
    rmSync(`${plugin}.ADD`);
    await daemon.cri.call('RunPodSandbox', { config });
  });
}

test('a CNI plugin that hangs is given up in time, by name, and holds up neither host pods, stops, removals nor lists', async (t) => {
  const { daemon } = stage();
  const [stopped, late] = [await runPod(daemon, 'stopped'), await runPod(daemon, 'late')];
  writeFileSync(`${plugin}.ADD`, 'hangs');
  // As many as are attached side by side.
  await removePod(daemon, stopped.id);
  const hung = Array.from({ length: 8 }, (_, at) => daemon.cri.call('RunPodSandbox', { config: podConfig(daemon, `hung-${at}`) }));
  for (const call of hung) call.catch(() => undefined);
  await until(() => existsSync(`${plugin}.calls`) && readFileSync(`${plugin}.calls`, 'utf8').includes('ADD'), 60_000, 'the plugin to be called');
  const linux = { cgroup_parent: daemon.cgroupParent, security_context: { namespace_options: { pid: 1, network: 2 } } };
  const host = await runPod(daemon, 'host', { linux });
  const namespaces = { linux: { security_context: { namespace_options: { pid: 1, network: 2 } } } };
  t.is((await exitOf(daemon, await runScript(daemon, host, 'c', 'exit 5', namespaces))).exit_code, 5);
  t.is((await daemon.cri.call('ListPodSandbox', {})).items.length, 2);
  writeFileSync(`${plugin}.DEL.${late.id}`, 'hangs');
  const stop = refusal(t, daemon.cri.call('StopPodSandbox', { pod_sandbox_id: late.id }));
  for (const call of hung) {
    const error = await refusal(t, call);
    // Of eight that ask for two addresses some get none.
    if (error.code === status.RESOURCE_EXHAUSTED) continue;
    t.is(error.code, status.DEADLINE_EXCEEDED);
    t.regex(error.details, /CNI ADD by odd: .* did not end within 10000 ms/);
  }
  const error = await stop;
  t.is(error.code, status.DEADLINE_EXCEEDED);
  t.regex(error.details, /CNI DEL by odd: .* did not end within 10000 ms/);
  for (const name of ['ADD', `DEL.${late.id}`]) rmSync(`${plugin}.${name}`);
  await removePod(daemon, late.id);
  await until(() => addresses().length === 0, 120_000, 'all addresses to be given back');
});
