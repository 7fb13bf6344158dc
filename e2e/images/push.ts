import type { Assembled, Blob, Manifest } from './image.ts';

/** Which repository already holds a blob, by digest; filled by `push`, which then mounts instead of sending again. */
export type Pushed = Map<string, string>;

/** Pushes one assembled image under every `repository:tag`, blobs first (OCI distribution specification). */
export async function push(
  registry: string,
  names: readonly string[],
  image: Assembled,
  pushed: Pushed,
): Promise<void> {
  for (const name of names) {
    const [repository = '', tag = 'latest'] = name.split(':');
    for (const blob of image.blobs) await pushBlob(registry, repository, blob, pushed);
    for (const manifest of image.manifests) await pushManifest(registry, repository, manifest.digest, manifest);
    await pushManifest(registry, repository, tag, image.top);
  }
}

async function pushBlob(registry: string, repository: string, blob: Blob, pushed: Pushed): Promise<void> {
  const from = pushed.get(blob.digest);
  if (from === repository) return;
  const mount = from === undefined ? '' : `?mount=${blob.digest}&from=${from}`;
  const opened = await must(
    fetch(`${registry}/v2/${repository}/blobs/uploads/${mount}`, { method: 'POST' }),
    `push to ${repository}`,
  );
  pushed.set(blob.digest, from ?? repository);
  if (opened.status === 201) return;
  const location = new URL(opened.headers.get('location') ?? '', registry);
  location.searchParams.set('digest', blob.digest);
  const headers = { 'content-type': 'application/octet-stream' };
  await must(
    fetch(location, { method: 'PUT', headers, body: new Uint8Array(blob.bytes) }),
    `push ${blob.digest} to ${repository}`,
  );
}

async function pushManifest(
  registry: string,
  repository: string,
  reference: string,
  manifest: Manifest,
): Promise<void> {
  const url = `${registry}/v2/${repository}/manifests/${reference}`;
  const headers = { 'content-type': manifest.mediaType };
  await must(
    fetch(url, { method: 'PUT', headers, body: new Uint8Array(manifest.bytes) }),
    `push manifest ${repository}:${reference}`,
  );
}

async function must(reply: Promise<Response>, doing: string): Promise<Response> {
  const got = await reply;
  if (!got.ok) throw new Error(`${doing}: the registry answered ${got.status}: ${await got.text()}`);
  return got;
}
