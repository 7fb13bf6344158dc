import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import type { EngineCalls, RunAsk, RunReply } from '../../api/engine.ts';
import type { Engine } from '../../host/engine.ts';
import { openNetwork, type Network, type NetworkPod } from './cni.ts';

const PLUGIN_DIRS = ['/usr/lib/cni', '/opt/cni/bin'];

const quiet = { debug() {}, info() {}, warn() {}, error() {} };

let octets = process.pid;
const hostPort = 20_000 + (process.pid % 5000);

/** The third number of a range 10.211.x.0/24 that no other test of this process has. */
const freeOctet = (): number => octets++ % 256;

/** Spawns what `run` asks for, as the engine would. */
function spawningEngine(ran: string[]): Engine {
  const run = async ({ path, args, env, stdin }: RunAsk, signal?: AbortSignal): Promise<RunReply> =>
    new Promise((resolve, reject) => {
      ran.push(`${env['CNI_COMMAND'] ?? ''} ${path.split('/').at(-1)}`);
      const child = spawn(path, args, { env, ...(signal === undefined ? {} : { signal }) });
      const out = { stdout: '', stderr: '' };
      child.stdout.on('data', (data: Buffer) => {
        out.stdout += data.toString();
      });
      child.stderr.on('data', (data: Buffer) => {
        out.stderr += data.toString();
      });
      child.on('error', reject);
      child.on('close', (code) => resolve({ exitCode: code ?? 0, signal: code === null ? 9 : 0, ...out }));
      child.stdin.on('error', () => {});
      child.stdin.end(stdin);
    });
  return {
    call: async <N extends keyof EngineCalls>(
      name: N,
      ask: EngineCalls[N]['ask'],
      options?: { signal?: AbortSignal },
    ) => {
      if (name === 'unpinNetns') return {} as EngineCalls[N]['reply'];
      if (name !== 'run') throw new Error(`unexpected call ${name}`);
      return (await run(ask as RunAsk, options?.signal)) as EngineCalls[N]['reply'];
    },
    pid: () => process.pid,
    away: () => false,
    close: async () => {},
  };
}

/** A network of its own: bridge, range and address store are unique, so that tests may run beside anything. */
function bench(t: ExecutionContext, plugins: (names: { bridge: string; dataDir: string; octet: number }) => object[]) {
  const dir = mkdtempSync(join(tmpdir(), 'berth-cni-'));
  const tag = randomBytes(3).toString('hex');
  const names = { bridge: `bt${tag}`, dataDir: join(dir, 'ips'), octet: freeOctet() };
  const netns = `bt-${tag}`;
  execFileSync('ip', ['netns', 'add', netns]);
  execFileSync('mkdir', ['-p', join(dir, 'net.d')]);
  writeFileSync(
    join(dir, 'net.d', '10-test.conflist'),
    JSON.stringify({ cniVersion: '1.0.0', name: `t${tag}`, plugins: plugins(names) }),
  );
  const ran: string[] = [];
  const open = async (): Promise<Network> =>
    openNetwork({
      configDir: join(dir, 'net.d'),
      pluginDirs: PLUGIN_DIRS,
      timeoutMs: 180_000,
      engine: spawningEngine(ran),
      allowDefault: false,
      log: quiet,
      cacheDir: join(dir, 'cache'),
    });
  t.teardown(() => {
    execFileSync('ip', ['netns', 'del', netns]);
    spawnSync('ip', ['link', 'del', names.bridge]);
    removeRules(`t${tag}`);
    rmSync(dir, { recursive: true });
  });
  const pod: NetworkPod = {
    id: randomBytes(32).toString('hex'),
    name: 'web',
    namespace: 'default',
    uid: 'u1',
    netnsPath: `/run/netns/${netns}`,
    portMappings: [],
    annotations: {},
    dns: null,
  };
  const leases = (): string[] =>
    existsSync(join(names.dataDir, `t${tag}`))
      ? readdirSync(join(names.dataDir, `t${tag}`)).filter((file) => /^\d/.test(file))
      : [];
  return { open, pod, ran, netns, leases, octet: names.octet, name: `t${tag}`, cache: join(dir, 'cache') };
}

/** Takes every rule out of the nat table that names the network, and the chains that only those lead to. */
function removeRules(network: string): void {
  const saved = execFileSync('iptables-save', ['-t', 'nat'], { encoding: 'utf8' })
    .split('\n')
    .filter((line) => line.includes(network));
  const jumps = saved.filter((line) => line.startsWith('-A POSTROUTING'));
  for (const chain of jumps.map((line) => line.split(' ').at(-1) ?? '')) {
    const rule = saved.find((line) => line.startsWith('-A POSTROUTING') && line.endsWith(chain)) ?? '';
    execFileSync('iptables-restore', ['--noflush'], {
      input: `*nat\n${rule.replace('-A', '-D')}\n-F ${chain}\n-X ${chain}\nCOMMIT\n`,
    });
  }
}

const bridged = ({ bridge, dataDir, octet }: { bridge: string; dataDir: string; octet: number }): object => ({
  type: 'bridge',
  bridge,
  isGateway: true,
  ipMasq: true,
  ipam: { type: 'host-local', dataDir, ranges: [[{ subnet: `10.211.${octet}.0/24` }]], routes: [{ dst: '0.0.0.0/0' }] },
});
const portmap = { type: 'portmap', capabilities: { portMappings: true } };
const plugins = (ran: string[]): string[] => ran.filter((line) => /^(ADD|DEL) /.test(line));
const never = new AbortController().signal;

const natRules = (): string => execFileSync('iptables-save', ['-t', 'nat'], { encoding: 'utf8' });

test('a pod gets an address on its interface and gives it back', async (t) => {
  const { open, pod, ran, netns, leases } = bench(t, (names) => [bridged(names), portmap]);
  const network = await open();
  const attachment = await network.attach(pod, never);
  t.is(attachment.ips.length, 1);
  t.true(
    execFileSync('ip', ['-n', netns, 'addr', 'show', 'eth0'], { encoding: 'utf8' }).includes(
      `inet ${attachment.ips[0]}/24`,
    ),
  );
  t.deepEqual(leases(), attachment.ips);

  await network.detach(pod, attachment, never);
  await network.detach(pod, attachment, never);
  t.deepEqual(leases(), []);
  t.false(natRules().includes(pod.id));
  t.deepEqual(
    plugins(ran),
    ['ADD bridge', 'DEL bridge', 'DEL bridge'],
    'portmap is not run for a pod without port mappings',
  );
});

test('host ports lead into the pod until it is detached', async (t) => {
  const { open, pod, ran } = bench(t, (names) => [bridged(names), portmap]);
  const network = await open();
  const mapped = {
    ...pod,
    portMappings: [
      { hostPort, containerPort: 80, protocol: 'tcp' as const, hostIP: '' },
      { hostPort: 0, containerPort: 81, protocol: 'tcp' as const, hostIP: '' },
    ],
  };
  const attachment = await network.attach(mapped, never);
  t.regex(natRules(), new RegExp(`--dport ${hostPort} .*--to-destination ${attachment.ips[0]}:80`));
  t.is(attachment.portMappings.length, 1);

  await network.detach({ ...pod }, attachment, never);
  t.false(natRules().includes(`${attachment.ips[0]}:80`));
  t.deepEqual(plugins(ran), ['ADD bridge', 'ADD portmap', 'DEL portmap', 'DEL bridge']);
});

test('an ADD that fails in the chain leaves nothing', async (t) => {
  const { open, pod, leases } = bench(t, (names) => [
    bridged(names),
    { type: 'tuning', sysctl: { 'net.no.such': '1' } },
  ]);
  const network = await open();
  await t.throwsAsync(network.attach(pod, never), { message: /attach pod .* to network .*: CNI ADD by tuning/ });
  t.deepEqual(leases(), []);
  t.false(natRules().includes(pod.id));
});

test('a pod whose namespace is gone is detached all the same', async (t) => {
  const { open, pod, leases } = bench(t, (names) => [bridged(names), portmap]);
  const attachment = await (await open()).attach(pod, never);
  await (await open()).detach({ ...pod, netnsPath: '' }, attachment, never);
  t.deepEqual(leases(), []);
});

test('an attachment that only the disk knows is collected by the next daemon', async (t) => {
  const { open, pod, leases, cache } = bench(t, (names) => [bridged(names), portmap]);
  await (await open()).attach(pod, never);
  const next = await open();
  await next.collect([pod.id]);
  t.is(leases().length, 1);
  await next.collect([]);
  t.deepEqual(leases(), []);
  await next.collect([]);
  t.deepEqual(readdirSync(cache), []);
});

test('the network is ready only with a valid configuration and its plugins', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'berth-cni-'));
  t.teardown(() => rmSync(dir, { recursive: true }));
  const network = await openNetwork({
    configDir: dir,
    pluginDirs: PLUGIN_DIRS,
    timeoutMs: 180_000,
    engine: spawningEngine([]),
    allowDefault: false,
    log: quiet,
    cacheDir: join(dir, 'cache'),
  });
  t.like(await network.status(), { ready: false, reason: 'NetworkPluginNotReady' });
  writeFileSync(join(dir, '10-a.conflist'), '{"name":"a","cniVersion":"1.0.0","plugins":[]}');
  t.regex((await network.status()).message, /10-a\.conflist: plugins is empty/);
  writeFileSync(join(dir, '10-a.conflist'), '{"name":"a","cniVersion":"1.0.0","plugins":[{"type":"no-such-plugin"}]}');
  t.regex((await network.status()).message, /no-such-plugin is in none of/);
  writeFileSync(join(dir, '10-a.conflist'), '{"name":"a","cniVersion":"1.0.0","plugins":[{"type":"bridge"}]}');
  t.deepEqual(await network.status(), { ready: true, reason: '', message: '' });
});

test('an empty configuration directory gets the default network, one with a file in it is left alone', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'berth-cni-'));
  const range = `10.211.${freeOctet()}.0/24`;
  t.teardown(() => {
    removeRules(`-s ${range} `);
    rmSync(dir, { recursive: true });
  });
  const open = async (): Promise<Network> =>
    openNetwork({
      configDir: join(dir, 'net.d'),
      pluginDirs: PLUGIN_DIRS,
      timeoutMs: 180_000,
      engine: spawningEngine([]),
      allowDefault: true,
      defaultRanges: [range],
      log: quiet,
      cacheDir: join(dir, 'cache'),
    });
  t.true((await (await open()).status()).ready);
  t.deepEqual(readdirSync(join(dir, 'net.d')), ['99-berth.conflist']);
  rmSync(join(dir, 'net.d', '99-berth.conflist'));
  writeFileSync(join(dir, 'net.d', '10-broken.conf'), '{');
  t.false((await (await open()).status()).ready);
  t.deepEqual(readdirSync(join(dir, 'net.d')), ['10-broken.conf']);
});

test('pods are masqueraded by one rule of their network, made once', async (t) => {
  const { open, pod, ran, octet, name } = bench(t, (names) => [bridged(names), portmap]);
  const network = await open();
  const first = await network.attach(pod, never);
  const again = { ...pod, id: randomBytes(32).toString('hex') };
  await network.detach(pod, first, never);
  const second = await network.attach(again, never);
  await network.close();
  t.true(natRules().includes(name), 'the rule stays while a pod is there');
  await network.detach(again, second, never);
  t.regex(natRules(), new RegExp(`POSTROUTING -s 10.211.${octet}.0/24 .*pods-of-network-${name}`));
  t.is(ran.filter((line) => line.includes('iptables-restore')).length, 1);
  t.is((JSON.parse(first.configJson) as { plugins: { ipMasq: boolean }[] }).plugins[0]?.ipMasq, false);
  await network.close();
  t.false(natRules().includes(name), 'without pods the rule goes with the daemon');
});
