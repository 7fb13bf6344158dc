import type { IdMappings } from '../../api/engine.ts';
import { RuntimeError } from '../../api/errors.ts';
import { cgroupsPath } from '../../host/cgroup.ts';
import { annotations } from './annotations.ts';
import { devices, seesAllDevices } from './devices.ts';
import type { ResolvedUser, SpecInput } from './input.ts';
import { mounts, rootfsPropagation } from './mounts.ts';
import { namespaces } from './namespaces.ts';
import type { OciLinux, OciSpec } from './oci.ts';
import { containerProcess } from './process.ts';
import { resources } from './resources.ts';
import { seccomp } from './seccomp.ts';
import { hasReadonlyRoot, protectedPaths } from './security.ts';
import { resolveUser } from './user.ts';
import { ociMappings, refuseUnmapped } from './user-namespace.ts';

/**
 * The OCI configuration of a container and who it runs as. Pure: all that it depends on is in `input`.
 * Throws `invalid` for a wish that contradicts itself or the image, `unsupported` for one that this host cannot grant.
 */
export function containerSpec(input: SpecInput): { spec: OciSpec; user: ResolvedUser } {
  const {
    sandbox,
    container: { config },
    image,
    etc,
    rootfs,
  } = input;
  const security = config.linux?.security_context ?? null;
  if (security?.privileged && !sandbox.config.linux?.security_context?.privileged) {
    throw new RuntimeError(
      'invalid',
      `a privileged container is not allowed in sandbox ${sandbox.id}, which is not privileged`,
    );
  }
  const user = resolveUser({ security, imageUser: image.user, etc });
  if (sandbox.user) refuseUnmapped(user, sandbox.user.mappings);
  const process = containerProcess(input, user);
  const spec = {
    ociVersion: '1.0.2',
    process,
    root: { path: rootfs, readonly: hasReadonlyRoot(security) },
    mounts: mounts(input),
    annotations: annotations(input),
    linux: linux(input, process.capabilities.bounding),
  };
  return { spec, user };
}

function linux(input: SpecInput, capabilities: string[]): OciLinux {
  const {
    sandbox,
    container: { id, config },
    host,
    found,
  } = input;
  const security = config.linux?.security_context ?? null;
  const { nodes, rules } = devices(found, seesAllDevices(input));
  const filter = seccomp(security, { capabilities, host, profileText: found?.seccompProfile ?? null });
  const propagation = rootfsPropagation(config.mounts);
  const { masked, readonly } = protectedPaths(security);
  return {
    namespaces: namespaces(input),
    ...(sandbox.user && userMappings(sandbox.user.mappings)),
    devices: nodes,
    cgroupsPath: cgroupsPath(host.cgroupDriver, sandbox.cgroupParent, id),
    resources: { ...resources(config.linux?.resources ?? null, host), devices: rules },
    ...(propagation === undefined ? {} : { rootfsPropagation: propagation }),
    ...(filter === null ? {} : { seccomp: filter }),
    ...(input.labels ? { mountLabel: input.labels.mount } : {}),
    maskedPaths: masked,
    readonlyPaths: readonly,
  };
}

function userMappings({ uids, gids }: IdMappings): Pick<OciLinux, 'uidMappings' | 'gidMappings'> {
  return { uidMappings: ociMappings(uids), gidMappings: ociMappings(gids) };
}
