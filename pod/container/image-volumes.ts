import { readdir } from 'node:fs/promises';
import { posix } from 'node:path';
import type { ContainerConfig, Mount } from '../../api/cri.ts';
import { asRuntimeError, RuntimeError } from '../../api/errors.ts';
import type { Image, Images } from '../../image/records/record.ts';
import type { PodContext } from '../context.ts';
import { type ContainerPaths, containerPaths } from '../paths.ts';
import type { ImageVolume, UserNamespace } from '../record.ts';

/**
 * The images that a container wants mounted, in the order of its mounts (CRI Mount.image). Throws `invalid` for a mount
 * that contradicts itself, `image-volume` for an image that is not here.
 */
export function plannedImageVolumes(images: Images, mounts: readonly Mount[]): ImageVolume[] {
  return mounts.filter(isImageVolume).map((mount) => {
    refuseContradiction(mount);
    const reference = mount.image?.image ?? '';
    const image = images.find(reference);
    if (!image) throw failed(mount, 'it is not here: pull it first');
    return { containerPath: mount.container_path, imageId: image.id, imageRef: image.digests[0] ?? image.id };
  });
}

/** Keeps all of the images from being removed until the result is called. Throws `not-found` when one is gone. */
export function leaseAll(images: Images, imageIds: readonly string[]): () => void {
  const leases: (() => void)[] = [];
  const leave = (): void => {
    for (const each of leases) each();
  };
  try {
    for (const imageId of imageIds) leases.push(images.lease(imageId));
    return leave;
  } catch (error) {
    leave();
    throw error;
  }
}

/**
 * Mounts the images, each read-only below the container's bundle, with the ids and the SELinux label of the pod, and returns the configuration with a bind mount of
 * what is wanted of each in its place. Throws `image-volume`; what was mounted goes with the container.
 */
export async function withMountedImages(
  context: PodContext,
  { id, imageVolumes }: { id: string; imageVolumes: readonly ImageVolume[] },
  config: ContainerConfig,
  as: { user: UserNamespace | null; label: string },
): Promise<ContainerConfig> {
  if (imageVolumes.length === 0) return config;
  const { images } = containerPaths(context.roots, id);
  const order = config.mounts.filter(isImageVolume);
  const mounts = config.mounts.map(async (mount): Promise<Mount> => {
    const index = order.indexOf(mount);
    const image = context.images.find(imageVolumes[index]?.imageId ?? '');
    if (index < 0 || !image) return mount;
    const path = await mountImage(context, image, mount, { target: `${images}/${index}`, ...as });
    const ids = as.user ? { uidMappings: [], gidMappings: [] } : {};
    return { ...mount, ...ids, host_path: path, image: null, image_sub_path: '', propagation: 'PROPAGATION_PRIVATE' };
  });
  return { ...config, mounts: await Promise.all(mounts) };
}

/** Every mount point that a container may have on the host. */
export async function containerMountPoints({ rootfs, layers, images }: ContainerPaths): Promise<string[]> {
  const names = await readdir(images).catch(() => []);
  return [rootfs, layers, ...names.map((name) => `${images}/${name}`)];
}

async function mountImage(
  context: PodContext,
  image: Image,
  mount: Mount,
  { target, user, label }: { target: string; user: UserNamespace | null; label: string },
): Promise<string> {
  try {
    const lower = context.images.layerPaths(image);
    const idmap = user && { userNamespace: user.path, stage: `${target}-layers` };
    return (await context.engine.call('mountImage', { target, lower, idmap, label, subPath: mount.image_sub_path })).path;
  } catch (error) {
    throw failed(mount, asRuntimeError(error).message, error);
  }
}

function isImageVolume({ image }: Mount): boolean {
  return image !== null && image.image !== '';
}

function refuseContradiction(mount: Mount): void {
  const refuse = (why: string): RuntimeError => new RuntimeError('invalid', `mount ${mount.container_path} of image ${mount.image?.image}: ${why}`);
  if (mount.host_path !== '') throw refuse(`it names the host path ${mount.host_path} too`);
  if (!mount.readonly) throw refuse('an image can only be mounted readonly');
  const { image_sub_path: subPath } = mount;
  if (posix.isAbsolute(subPath) || subPath.split('/').includes('..')) {
    throw refuse(`image_sub_path ${subPath} must be relative and without ..`);
  }
}

function failed(mount: Mount, why: string, cause?: unknown): RuntimeError {
  return new RuntimeError('image-volume', `mount ${mount.container_path} of image ${mount.image?.image}: ${why}`, cause);
}
