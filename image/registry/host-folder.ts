import { readdir, readFile } from 'node:fs/promises';
import { resolve, join } from 'node:path';
import { type HostsFile, parseHostsFile, type RegistryHost } from './hosts-file.ts';

/** What the operator says of one registry host: its `hosts.toml`, and PEM files beside it. */
export type HostFolder = { path: string; hosts: HostsFile | undefined; caPem: string; clientPem: string };

/**
 * The folders of `host[:port]` in `directories` (containers-certs.d(5), Docker's and containerd's `certs.d`), joined:
 * every `*.crt` is an authority, every `*.cert` with its `*.key` is shown. Without one of its own, containerd's
 * `_default` counts. Throws `invalid` for a malformed file.
 */
export async function hostFolder(host: string, directories: readonly string[]): Promise<HostFolder> {
  const own = await Promise.all(directories.map((directory) => readFolder(join(directory, host))));
  const there = own.filter((found) => found !== undefined);
  const counted = there.length > 0 ? there : await Promise.all(directories.map((directory) => readFolder(join(directory, '_default'))));
  return counted.filter((found) => found !== undefined).reduce(joined, nothing);
}

/** The PEM texts that one entry of a `hosts.toml` in that folder names. */
export async function pemOf({ ca, client }: RegistryHost, folder: HostFolder): Promise<{ caPem: string; clientPem: string }> {
  const read = (files: string[]) => texts(files.filter((file) => file !== '').map((file) => resolve(folder.path, file)));
  const shown = client.flatMap(({ certificate, key }) => [certificate, key]);
  return { caPem: folder.caPem + (await read(ca)), clientPem: folder.clientPem + (await read(shown)) };
}

const nothing: HostFolder = { path: '', hosts: undefined, caPem: '', clientPem: '' };

function joined(one: HostFolder, other: HostFolder): HostFolder {
  const { path, hosts } = one.hosts === undefined ? other : one;
  return { path, hosts, caPem: one.caPem + other.caPem, clientPem: one.clientPem || other.clientPem };
}

async function readFolder(path: string): Promise<HostFolder | undefined> {
  const names = (await readdir(path).catch(() => undefined))?.sort();
  if (names === undefined) return undefined;
  const ending = (suffix: string) => names.filter((name) => name.endsWith(suffix)).map((name) => join(path, name));
  const pairs = ending('.cert').flatMap((certificate) => [certificate, certificate.replace(/cert$/, 'key')]);
  const file = join(path, 'hosts.toml');
  const hosts = names.includes('hosts.toml') ? parseHostsFile(await readFile(file, 'utf8'), file) : undefined;
  return { path, hosts, caPem: await texts(ending('.crt')), clientPem: await texts(pairs.slice(0, 2)) };
}

async function texts(files: readonly string[]): Promise<string> {
  const read = await Promise.all(files.map((file) => readFile(file, 'utf8')));
  return read.map((text) => (text.endsWith('\n') ? text : `${text}\n`)).join('');
}
