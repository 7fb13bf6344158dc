import {
  type AuthConfig as CriAuthConfig,
  type Image as CriImage,
  type Draft,
  encode,
  type FilesystemUsage,
  type ImageFilter,
  type ImageSpec,
} from '../api/cri.ts';
import { RuntimeError } from '../api/errors.ts';
import { wallClockNs } from '../host/clock.ts';
import { digestOf } from '../image/manifest/digest.ts';
import type { Platform } from '../image/manifest/manifest.ts';
import { isPinned } from '../image/pinned.ts';
import type { AuthConfig, Image, Images } from '../image/records/record.ts';
import { streamedList, wholeList } from './batches.ts';
import type { ImageHandlers } from './server.ts';

/** What the images cannot know: what writable layers take, and what a runtime handler wants instead of this machine's images. */
export type ImageSurroundings = { containers: ContainerFilesystem; platformOf: (handler: string) => Platform | undefined };

/** What writable layers take; `undefined` when they lie on the file system of the images. */
export type ContainerFilesystem = () => Promise<Draft<FilesystemUsage> | undefined>;

/** The rpcs on images; those that a pattern in `pinned` names are kept out of the kubelet's garbage collection. */
export function imageHandlers(images: Images, pinned: readonly string[], { containers, platformOf }: ImageSurroundings): Required<ImageHandlers> {
  const items = new WeakMap<Image, Buffer>();
  /** The image's entry of a list, encoded once for each record: a record never changes. */
  const listItem = (image: Image): Buffer => {
    const item = items.get(image) ?? encode('Image', apiImage(image, isPinned(image, pinned)));
    items.set(image, item);
    return item;
  };
  const listed = (filter: ImageFilter | null): Buffer[] => {
    const reference = filter?.image?.image;
    return (reference ? found(images, reference) : images.list()).map(listItem);
  };
  return {
    ListImages: ({ filter }) => wholeList(listed(filter)),
    StreamImages: ({ filter }) => streamedList(listed(filter)),
    ImageStatus: async ({ image: spec, verbose }) => {
      const image = images.find(named('ImageStatus', spec));
      if (image === undefined) return {};
      return { image: apiImage(image, isPinned(image, pinned)), info: verbose ? { info: verboseInfo(image) } : {} };
    },
    PullImage: async ({ image: spec, auth, sandbox_config }, { signal }) => {
      const reference = named('PullImage', spec);
      const namespace = sandbox_config?.metadata?.namespace ?? '';
      const platform = platformOf(spec?.runtime_handler ?? '');
      const { id } = await images.pull({ reference, namespace, signal, ...(platform && { platform }), ...(auth && { auth: pullAuth(auth) }) });
      return { image_ref: id };
    },
    RemoveImage: async ({ image: spec }) => {
      await images.remove(named('RemoveImage', spec));
      return {};
    },
    ImageFsInfo: async () => {
      const usage = filesystemUsage(images);
      // The kubelet takes storage as split when their mount points differ (KubeletSeparateDiskGC).
      return { image_filesystems: [usage], container_filesystems: [(await containers()) ?? usage] };
    },
  };
}

function found(images: Images, reference: string): Image[] {
  const image = images.find(reference);
  return image === undefined ? [] : [image];
}

function named(rpc: string, spec: ImageSpec | null): string {
  if (!spec?.image) throw new RuntimeError('invalid', `${rpc} without an image: name it by tag, digest or id`);
  return spec.image;
}

function pullAuth({ server_address, identity_token, registry_token, ...basic }: CriAuthConfig): AuthConfig {
  return { ...basic, serverAddress: server_address, identityToken: identity_token, registryToken: registry_token };
}

function apiImage(image: Image, pinned: boolean): Draft<CriImage> {
  return {
    id: image.id,
    repo_tags: image.tags,
    repo_digests: image.digests,
    size: String(image.sizeBytes),
    ...apiUser(image.config.user),
    spec: { annotations: image.annotations },
    pinned,
  };
}

/** `USER` of the image without its group: a number is told as uid, a name as username, none as neither. */
function apiUser(user: string): { uid?: { value: string }; username?: string } {
  const [name = ''] = user.split(':');
  return /^\d{1,10}$/.test(name) ? { uid: { value: String(Number(name)) } } : { username: name };
}

/** What `crictl inspecti` shows, under the keys of CRI-O (`imageSpec`, `labels`) and of containerd (`chainID`). */
function verboseInfo(image: Image): string {
  const imageSpec = JSON.parse(image.rawConfig) as unknown;
  return JSON.stringify({ labels: image.config.labels, chainID: chainId(image.layers), imageSpec });
}

/** OCI image-spec, config.md, Layer ChainID; empty for an image without layers. */
function chainId(diffIds: readonly string[]): string {
  return diffIds.reduce((chain, diffId) => (chain === '' ? diffId : digestOf(`${chain} ${diffId}`)), '');
}

function filesystemUsage(images: Images): Draft<FilesystemUsage> {
  return usageOf(images.usage());
}

/** A file system by a path on it, with what of it is used, as of now. */
export function usageOf({ path, usedBytes, inodes }: { path: string; usedBytes: bigint; inodes: bigint }): Draft<FilesystemUsage> {
  return {
    timestamp: String(wallClockNs()),
    fs_id: { mountpoint: path },
    used_bytes: { value: String(usedBytes) },
    inodes_used: { value: String(inodes) },
  };
}
