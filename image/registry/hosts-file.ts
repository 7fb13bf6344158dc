import { parse } from 'smol-toml';
import { RuntimeError, whileDoing } from '../../api/errors.ts';
import { type Json, listIn, objectIn, textIn, textsIn } from '../manifest/shape.ts';

/** One server of a `hosts.toml`. */
export type RegistryHost = {
  /** Scheme, host and path, without a slash at the end; empty for a server that the file does not name. */
  url: string;
  /** May be asked what a tag means, and for content by digest. */
  resolve: boolean;
  pull: boolean;
  /** Its path is used as it is, without `/v2` behind it. */
  overridePath: boolean;
  insecure: boolean;
  headers: Record<string, string>;
  /** Files of authorities, and of client certificates with their keys (`''` when in the same file); relative to the folder. */
  ca: string[];
  client: { certificate: string; key: string }[];
};
/** `certs.d/HOST/hosts.toml`, as containerd reads it: mirrors in their order, then the server itself. */
export type HostsFile = { mirrors: RegistryHost[]; server: RegistryHost };

/** Reads one file; `path` names it in errors, which are `invalid`. */
export function parseHostsFile(toml: string, path: string): HostsFile {
  try {
    const root = parse(toml) as Json;
    const hosts = Object.entries(objectIn(root['host'] ?? {}, 'host'));
    return {
      mirrors: hosts.map(([url, item]) => readHost(urlIn(url), objectIn(item, `host."${url}"`))),
      server: readHost(root['server'] === undefined ? '' : urlIn(textIn(root['server'], 'server')), root),
    };
  } catch (error) {
    throw new RuntimeError('invalid', whileDoing(`cannot read ${path}`, error).message, error);
  }
}

function urlIn(name: string): string {
  const text = /^[a-z]+:\/\//.test(name) ? name : `https://${name}`;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.username !== '') {
    throw new RuntimeError('invalid', `${name} is no http or https URL of a registry`);
  }
  return `${url.origin}${url.pathname.replace(/\/+$/, '')}`;
}

function readHost(url: string, item: Json): RegistryHost {
  const capabilities = textsIn(item['capabilities'] ?? ['pull', 'resolve'], 'capabilities');
  return {
    url,
    resolve: capabilities.includes('resolve'),
    pull: capabilities.includes('pull'),
    overridePath: item['override_path'] === true,
    insecure: item['skip_verify'] === true,
    headers: headersIn(item['header']),
    ca: oneOrMore(item['ca']).map((file) => textIn(file, 'ca')),
    client: oneOrMore(item['client']).map(clientIn),
  };
}

function headersIn(value: unknown): Record<string, string> {
  const entries = Object.entries(objectIn(value ?? {}, 'header'));
  return Object.fromEntries(entries.map(([name, item]) => [name.toLowerCase(), oneOrMore(item).map((one) => textIn(one, name)).join(', ')]));
}

function clientIn(value: unknown): RegistryHost['client'][number] {
  if (typeof value === 'string') return { certificate: value, key: '' };
  const [certificate = '', key = ''] = listIn(value, 'client').map((file) => textIn(file, 'client'));
  return { certificate, key };
}

function oneOrMore(value: unknown): readonly unknown[] {
  return typeof value === 'string' ? [value] : listIn(value, 'a value of hosts.toml');
}
