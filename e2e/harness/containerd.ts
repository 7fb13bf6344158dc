import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { DaemonOptions, DaemonParts } from './daemon.ts';
import { mappedRegistries } from './registry.ts';
import { tool } from './tools.ts';

/** The command that runs containerd 2.3.4 in the daemon's place, with the runc built beside it and the same network. */
export function containerd(parts: DaemonParts, { synced = false }: DaemonOptions): { command: string; args: string[]; env: Record<string, string> } {
  const hosts = join(parts.directory, 'certs.d');
  for (const name of mappedRegistries) writeHosts(join(hosts, name), parts.registries[0] ?? '127.0.0.1:1');
  for (const host of parts.registries) writeHosts(join(hosts, host), host);
  const config = join(parts.directory, 'containerd.toml');
  writeFileSync(config, configuration(parts, hosts, synced));
  const command = tool('containerd');
  const path = `${dirname(tool('containerd-shim-runc-v2'))}:${process.env['PATH']}`;
  return { command, args: ['--config', config], env: { PATH: path } };
}

function writeHosts(directory: string, host: string): void {
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, 'hosts.toml'), `[host."http://${host}"]\ncapabilities = ["pull", "resolve"]\n`);
}

function configuration(parts: DaemonParts, hosts: string, synced: boolean): string {
  return `version = 3
root = '${parts.root}'
state = '${parts.state}'
[grpc]
address = '${parts.socket}'
[ttrpc]
address = '${parts.socket}.ttrpc'
[plugins.'io.containerd.cri.v1.images']
image_pull_with_sync_fs = ${synced}
[plugins.'io.containerd.cri.v1.images'.pinned_images]
sandbox = 'registry.k8s.io/pause:3.9'
[plugins.'io.containerd.cri.v1.images'.registry]
config_path = '${hosts}'
[plugins.'io.containerd.cri.v1.runtime']
restrict_oom_score_adj = true
disable_apparmor = true
[plugins.'io.containerd.cri.v1.runtime'.cni]
bin_dirs = ['/usr/lib/cni']
conf_dir = '${parts.network.configDirectory}'
[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
runtime_type = 'io.containerd.runc.v2'
[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
BinaryName = '${tool('runc')}'
[plugins.'io.containerd.nri.v1.nri']
disable = true
`;
}
