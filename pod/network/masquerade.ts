import { access, constants, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { RunReply } from '../../api/engine.ts';
import { RuntimeError } from '../../api/errors.ts';
import type { Log } from '../../api/observe.ts';
import type { Engine } from '../../host/engine.ts';
import type { NetworkConfig, PluginConfig } from './config.ts';
import { addition, isIPv6Range, jump, masqueradedRanges, removal, rulesOf, withoutMasquerade } from './masquerade-rules.ts';

/**
 * Masquerading once per network instead of once per pod. The bridge plugin's `ipMasq` makes a chain for every pod, in
 * nine runs of iptables at ADD and as many at DEL, the larger part of both. For a bridge whose addresses come from
 * fixed ranges one rule per range does the same, so the rule is kept here and the plugin is told `ipMasq: false`.
 */
export type Masquerade = {
  /** The network as the plugins are to see it; without `ipMasq` once the rules are known to be there. */
  relieve(config: NetworkConfig): Promise<NetworkConfig>;
  /** Takes away the rules of networks whose bridge no pod is plugged into, be it another daemon's. */
  remove(): Promise<void>;
};

/** How long rules count as being there, in milliseconds; a firewall's reload may have taken them. */
const FRESH_MS = 60_000;

/** Keeps the rules of networks. Where they cannot be made the network is left as it is, and the log says so. */
export function masquerade(engine: Engine, log: Log): Masquerade {
  const looks = new Map<string, { config: NetworkConfig; atMs: number; there: Promise<boolean> }>();

  const areThere = async (config: NetworkConfig, ranges: string[]): Promise<boolean> => {
    const key = JSON.stringify([config.name, ranges]);
    const last = looks.get(key);
    if (last !== undefined && performance.now() - last.atMs < FRESH_MS) return last.there;
    const there = Promise.all(ranges.map(async (range) => ensure(engine, config.name, range))).then(
      () => true,
      (error: unknown) => {
        log.warn('pods are masqueraded one by one', { network: config.name, error: String(error) });
        return false;
      },
    );
    looks.set(key, { config, atMs: performance.now(), there });
    return there;
  };
  return {
    relieve: async (config) => {
      const ranges = config.plugins.flatMap(masqueradedRanges);
      return ranges.length > 0 && (await areThere(config, ranges)) ? withoutMasquerade(config) : config;
    },
    remove: async () => {
      for (const [key, { config, there }] of looks) {
        if (!(await there) || !(await areUnplugged(config.plugins))) continue;
        looks.delete(key);
        await removeRules(engine, config.name);
      }
    },
  };
}

async function ensure(engine: Engine, network: string, range: string): Promise<void> {
  const { exitCode } = await iptables(engine, range, '', ['-t', 'nat', '-C', ...jump(network, range)], '');
  if (exitCode === 0) return;
  const made = await iptables(engine, range, '-restore', ['--noflush'], addition(network, range));
  if (made.exitCode !== 0) throw new RuntimeError('unavailable', `iptables-restore failed: ${made.stderr.trim()}`);
}

/** All rules that name the network: an earlier daemon, or this one, may have made some for ranges that it has no more. */
async function removeRules(engine: Engine, network: string): Promise<void> {
  for (const family of ['0.0.0.0/0', '::/0']) {
    const listing = await iptables(engine, family, '', ['-t', 'nat', '-S', 'POSTROUTING'], '').catch(() => null);
    for (const rule of rulesOf(network, listing?.stdout ?? '')) {
      await iptables(engine, family, '-restore', ['--noflush'], removal(rule));
    }
  }
}

/** `cni0` is the bridge plugin's own default. */
async function areUnplugged(plugins: PluginConfig[]): Promise<boolean> {
  const bridges = plugins.filter(({ type }) => type === 'bridge').map(({ bridge }) => String(bridge ?? 'cni0'));
  const ports = bridges.map(async (bridge) => readdir(`/sys/class/net/${bridge}/brif`).catch(() => []));
  return (await Promise.all(ports)).flat().length === 0;
}

async function iptables(engine: Engine, range: string, verb: string, args: string[], stdin: string): Promise<RunReply> {
  const path = await inPath(`${isIPv6Range(range) ? 'ip6tables' : 'iptables'}${verb}`);
  return engine.call('run', { lane: 'cni-add', path, args: ['-w', '5', ...args], env: {}, stdin, timeoutMs: 10_000 });
}

async function inPath(program: string): Promise<string> {
  for (const dir of ['/usr/sbin', '/sbin', '/usr/bin', '/bin', '/usr/local/sbin']) {
    const isThere = access(join(dir, program), constants.X_OK).then(
      () => true,
      () => false,
    );
    if (await isThere) return join(dir, program);
  }
  throw new RuntimeError('unavailable', `${program} is not installed`);
}
