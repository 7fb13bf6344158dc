import type { Endpoint } from './endpoint.ts';
import { type HostFolder, hostFolder, pemOf } from './host-folder.ts';
import type { RegistryHost } from './hosts-file.ts';
import type { Trust } from './trust.ts';

/** One registry to talk to, and how. */
export type Place = {
  /** `host[:port]`. */
  host: string;
  repository: string;
  /** Bases of the API, with `/v2`, in the order to try. */
  baseUrls: string[];
  /** Sent with every request there; may be secret. */
  headers: Record<string, string>;
  /** The registry that a mirror is asked about (`?ns=`); empty for itself. */
  namespace: string;
  trust: Trust;
};

/**
 * Where to ask on behalf of `endpoint`: the servers of its host's `hosts.toml` that may resolve tags (unless asked by
 * digest) and serve content, in their order, or the endpoint itself with the certificates of its folder.
 */
export async function placesOf(endpoint: Endpoint, byDigest: boolean, certsDirs: readonly string[]): Promise<Place[]> {
  const folder = await hostFolder(endpoint.domain, certsDirs);
  if (folder.hosts === undefined) return [itself(endpoint, folder)];
  const { mirrors, server } = folder.hosts;
  const usable = [...mirrors, server].filter((host) => host.pull && (host.resolve || byDigest));
  return Promise.all(usable.map((host) => placeOf(host, endpoint, folder, host === server)));
}

function itself({ host, repository, baseUrls, insecure }: Endpoint, { caPem, clientPem }: HostFolder): Place {
  const trust = { insecure, caPem, clientPem };
  return { host, repository, baseUrls: baseUrls.map((url) => `${url}/v2`), headers: {}, namespace: '', trust };
}

async function placeOf(said: RegistryHost, endpoint: Endpoint, folder: HostFolder, isServer: boolean): Promise<Place> {
  const pem = await pemOf(said, folder);
  const its = itself(endpoint, { ...folder, ...pem });
  const trust = { ...its.trust, insecure: said.insecure || (isServer && endpoint.insecure) };
  if (said.url === '') return { ...its, headers: said.headers, trust };
  const { host } = new URL(said.url);
  const baseUrls = [said.overridePath ? said.url : `${said.url.replace(/\/v2$/, '')}/v2`];
  return { ...its, host, baseUrls, headers: said.headers, namespace: isServer ? '' : endpoint.domain, trust };
}
