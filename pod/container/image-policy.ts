import type { ContainerConfig } from '../../api/cri.ts';
import type { Image } from '../../image/records/record.ts';
import type { PodContext } from '../context.ts';
import type { Container, Sandbox } from '../record.ts';

/**
 * Throws `signature` unless the policy lets pods of this namespace use the container's image and those of its image
 * volumes, under the names that the pod gives them: it may have changed since they were pulled.
 */
export async function requireAllowed(
  { images }: Pick<PodContext, 'images'>,
  { namespace }: Pick<Sandbox, 'namespace'>,
  { image, planned, config }: { image: Image; planned: Pick<Container, 'imageVolumes'>; config: ContainerConfig },
): Promise<void> {
  await images.allow(image, { name: nameOf(config.image), namespace });
  for (const { containerPath, imageId } of planned.imageVolumes) {
    const volume = images.find(imageId);
    const mount = config.mounts.find((each) => each.container_path === containerPath);
    if (volume !== undefined) await images.allow(volume, { name: nameOf(mount?.image ?? null), namespace });
  }
}

/** As the user wrote it where the kubelet tells, else what it asks for, which may be an id. */
function nameOf(spec: ContainerConfig['image']): string {
  return spec?.user_specified_image || (spec?.image ?? '');
}
