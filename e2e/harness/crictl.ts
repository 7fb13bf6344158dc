import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Daemon } from './daemon.ts';
import { repository } from './paths.ts';
import { execute, type Result } from './run.ts';
import { tool } from './tools.ts';

/** Runs the real crictl against the daemon; pods and containers it makes count as the daemon's. */
export async function crictl(daemon: Daemon, ...args: readonly string[]): Promise<Result> {
  const result = await execute(tool('crictl'), ['--config', crictlConfig(daemon), ...args]);
  const id = result.stdout.trim();
  if (/^[0-9a-f]{64}$/.test(id)) daemon.cri.ids.add(id);
  return result;
}

/** The path of crictl's configuration, the shipped one on the daemon's socket; written once: another crictl may be reading it. */
export function crictlConfig(daemon: Daemon): string {
  const config = join(daemon.directory, 'crictl.yaml');
  const shipped = readFileSync(join(repository, 'manifests/crictl.yaml'), 'utf8');
  if (!existsSync(config)) writeFileSync(config, shipped.replaceAll('unix:///run/berth/berth.sock', daemon.endpoint));
  return config;
}

/** crictl's output without the last newline; throws with its error text when it fails. */
export async function mustCrictl(daemon: Daemon, ...args: readonly string[]): Promise<string> {
  const result = await crictl(daemon, ...args);
  if (result.code !== 0) throw new Error(`crictl ${args.join(' ')} ended with ${result.code}: ${result.stderr}`);
  return result.stdout.trimEnd();
}

/** Writes a pod or container configuration for crictl and returns its path. */
export function configFile(daemon: Daemon, name: string, config: object): string {
  const path = join(daemon.directory, `${name}.json`);
  writeFileSync(path, JSON.stringify(config));
  return path;
}
