import { type ContainerConfig, decode } from '../../api/cri.ts';
import type { SelinuxLabels } from '../../api/engine.ts';
import { RuntimeError } from '../../api/errors.ts';
import type { Image } from '../../image/records/record.ts';
import { withEdits } from '../cdi/apply.ts';
import { askedCdiDevices } from '../cdi/names.ts';
import { cdiEdits } from '../cdi/read.ts';
import type { PodContext } from '../context.ts';
import { containerPaths, podPaths } from '../paths.ts';
import type { Sandbox } from '../record.ts';
import { seesAllDevices } from '../spec/devices.ts';
import { gather } from '../spec/host-facts.ts';
import type { OciSpec } from '../spec/oci.ts';
import { containerSpec } from '../spec/spec.ts';
import { onHost } from '../spec/user-namespace.ts';
import { declaredVolumes, withVolumes } from './declared-volumes.ts';
import { handlerOf } from './plan.ts';
import { seccompProfile } from './seccomp-profile.ts';

type Made = ReturnType<typeof containerSpec>;

/** What a container's OCI configuration is made from; `files` holds texts of its rootfs by path. */
export type SpecParts = {
  sandbox: Sandbox;
  image: Image;
  id: string;
  config: ContainerConfig;
  files: Record<string, string>;
  labels: SelinuxLabels | null;
};

/**
 * The container's OCI configuration and the user it runs as. Makes the directories of the volumes that the image
 * declares. Errors are those of `gather`, `containerSpec` and `cdiEdits`.
 */
export async function specOf(context: PodContext, parts: SpecParts): Promise<Made> {
  const { sandbox, image, id, config, files, labels } = parts;
  const pod = podPaths(context.roots, sandbox.id);
  const podConfig = decode('PodSandboxConfig', sandbox.config);
  const targetPid = targetOf(context, sandbox, config);
  const handler = handlerOf(context, sandbox);
  const container = { id, config };
  const made = containerSpec({
    sandbox: {
      id: sandbox.id,
      config: podConfig,
      shimPid: sandbox.shimPid,
      pausePid: sandbox.pausePid,
      user: sandbox.user,
      netnsPath: pod.netns,
      files: { hosts: pod.hosts, hostname: pod.hostname, resolvConf: pod.resolvConf },
      shmPath: pod.shm,
      cgroupParent: podConfig.linux?.cgroup_parent || context.cgroup.defaultParent,
    },
    container,
    image: image.config,
    etc: { passwd: files['/etc/passwd'] ?? '', group: files['/etc/group'] ?? '' },
    host: context.host,
    features: handler.features,
    handler: handler.settings,
    // A runtime that is a sandbox itself knows no labels, and refuses them.
    labels: handler.runtime.sandboxed ? null : labels,
    rootfs: containerPaths(context.roots, id).rootfs,
    found: await gather(config, seesAllDevices({ container, handler: handler.settings }), (path) => seccompProfile(context.engine, path)),
    ...(targetPid !== undefined && { targetPid }),
  });
  const edits = await cdiEdits(askedCdiDevices(config), context.settings.cdiSpecDirs);
  const spec = withEdits(await withDeclaredVolumes(context, parts, made), edits);
  return { spec, user: { ...made.user, groups: spec.process.user.additionalGids } };
}

/** What the operator wants of the volumes that the image declares. */
async function withDeclaredVolumes(context: PodContext, { id, image, sandbox }: SpecParts, { spec, user }: Made): Promise<OciSpec> {
  const policy = context.settings.imageVolumes;
  const volumes = policy === 'ignore' ? [] : declaredVolumes(image.config.volumes, spec.mounts);
  if (volumes.length === 0) return spec;
  const { rootfs } = containerPaths(context.roots, id);
  const owner = onHost(user, sandbox.user?.mappings ?? null);
  const { paths } = await context.engine.call('makeVolumes', { rootfs, volumes, ...owner });
  return policy === 'bind' ? withVolumes(spec, volumes, paths) : spec;
}

/** First process of the container whose pid namespace is to be joined (namespace mode TARGET). */
function targetOf(context: PodContext, sandbox: Sandbox, config: ContainerConfig): number | undefined {
  const options = config.linux?.security_context?.namespace_options;
  if (options?.pid !== 'TARGET') return undefined;
  const target = context.store.containersOf(sandbox.id).find(({ id }) => id === options.target_id);
  if (!target) {
    throw new RuntimeError('invalid', `target container ${options.target_id} of the pid namespace is not in sandbox ${sandbox.id}`);
  }
  if (target.state !== 'running') {
    throw new RuntimeError('invalid', `target container ${options.target_id} of the pid namespace does not run`);
  }
  return target.pid;
}
