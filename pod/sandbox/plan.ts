import type { PodSandboxConfig } from '../../api/cri.ts';
import type { ShimPod } from '../../api/engine.ts';
import { RuntimeError } from '../../api/errors.ts';
import { cgroupDirs, childPath, monitorLeaf, parentPath, shimLeaf } from '../../host/cgroup.ts';
import type { PodContext } from '../context.ts';
import type { PortMapping } from '../network/cni.ts';
import { podPaths } from '../paths.ts';
import type { NamespaceMode, Sandbox } from '../record.ts';
import { userNamespaceObstacle } from '../runtime-features.ts';
import { podIdMappings } from '../spec/user-namespace.ts';
import { shmSizeBytes } from './shm-size.ts';
import { refuseUnsafeText } from './text.ts';

/** The record of a sandbox that is about to be made. Throws `invalid` for a configuration that cannot be run. */
export function plannedSandbox(
  context: PodContext,
  id: string,
  request: { config: PodSandboxConfig; encoded: Buffer; handler: string; createdAtNs: string },
): Sandbox {
  const { config } = request;
  const metadata = config.metadata;
  if (!metadata?.name) throw new RuntimeError('invalid', 'sandbox configuration has no metadata.name');
  const security = config.linux?.security_context;
  if (security?.run_as_group && !security.run_as_user) {
    throw new RuntimeError('invalid', `sandbox ${metadata.name}: run_as_group is set without run_as_user`);
  }
  const handler = context.runtimes.byName.get(request.handler || context.runtimes.defaultName);
  if (!handler) {
    const known = [...context.runtimes.byName.keys()].join(', ');
    throw new RuntimeError('invalid', `sandbox ${metadata.name}: no runtime handler ${request.handler}, there is ${known}`);
  }
  const options = security?.namespace_options;
  const mappings = podIdMappings(options ?? null);
  const obstacle = mappings ? userNamespaceObstacle(handler.features, context.host.idmapObstacle) : '';
  if (obstacle !== '') throw new RuntimeError('unsupported', `sandbox ${metadata.name}: user namespaces are not possible here: ${obstacle}`);
  shmSizeBytes(config.annotations);
  refuseUnsafeText(config);
  return {
    id,
    state: 'creating',
    name: metadata.name,
    namespace: metadata.namespace,
    uid: metadata.uid,
    attempt: metadata.attempt,
    labels: config.labels,
    annotations: config.annotations,
    handler: request.handler,
    namespaces: {
      network: sharedMode('network', options?.network),
      pid: podPidMode(options?.pid),
      ipc: sharedMode('ipc', options?.ipc),
    },
    logDirectory: config.log_directory,
    config: request.encoded,
    createdAtNs: request.createdAtNs,
    cgroupParent: parentPath(context.cgroup.driver, config.linux?.cgroup_parent || context.cgroup.defaultParent),
    madeCgroups: [],
    shimPid: 0,
    pausePid: 0,
    user: mappings && { path: '', mappings },
    attachment: null,
    networkReleased: false,
    resources: { overhead: config.linux?.overhead ?? null, resources: config.linux?.resources ?? null },
  };
}

function sharedMode(kind: string, mode: NamespaceMode | undefined): NamespaceMode {
  if (mode === undefined || mode === 'POD' || mode === 'NODE') return mode ?? 'POD';
  throw new RuntimeError('invalid', `${kind} namespace mode ${mode} is not possible for a sandbox: POD or NODE`);
}

function podPidMode(mode: NamespaceMode | undefined): NamespaceMode {
  if (mode === 'TARGET') throw new RuntimeError('invalid', 'pid namespace mode TARGET is for containers only');
  return mode ?? 'POD';
}

/** gVisor opens the ports of its containers itself, without the capability that the host asks for below 1024. */
const anyPort = { 'net.ipv4.ip_unprivileged_port_start': '0' };

/** What the shim of `sandbox` is told. */
export function shimPod(context: PodContext, sandbox: Sandbox, config: PodSandboxConfig): ShimPod {
  const paths = podPaths(context.roots, sandbox.id);
  const ownNetwork = sandbox.namespaces.network === 'POD';
  const ownIpc = sandbox.namespaces.ipc === 'POD';
  return {
    id: sandbox.id,
    socket: paths.socket,
    directory: paths.directory,
    network: ownNetwork ? 'pod' : 'host',
    netnsPath: ownNetwork ? paths.netns : '',
    ipc: ownIpc ? 'pod' : 'host',
    uts: ownNetwork ? 'pod' : 'host',
    pid: ({ POD: 'pod', NODE: 'host', CONTAINER: 'container', TARGET: 'container' } as const)[sandbox.namespaces.pid],
    hostname: ownNetwork ? config.hostname : '',
    sysctls: { ...(ownNetwork && hasProcess(context, sandbox) ? anyPort : {}), ...config.linux?.sysctls },
    user: sandbox.user?.mappings ?? null,
    shm: ownIpc ? { path: paths.shm, sizeBytes: shmSizeBytes(sandbox.annotations) } : null,
    selinux: sandbox.selinux ?? null,
    cgroup: shimCgroup(context, sandbox),
    oomScoreAdj: -999,
  };
}

/** True when the sandbox' handler runs containers inside a sandbox process (gVisor, Kata by command line). */
export function hasProcess(context: PodContext, { handler }: Pick<Sandbox, 'handler'>): boolean {
  return context.runtimes.byName.get(handler || context.runtimes.defaultName)?.runtime.sandboxed ?? false;
}

/** Directories of the shim's own leaf cgroup. */
export function shimCgroup(context: PodContext, sandbox: Sandbox): Record<string, string> {
  const leaf = (hasProcess(context, sandbox) ? monitorLeaf : shimLeaf)(context.cgroup.driver, sandbox.id);
  return cgroupDirs(context.cgroup.host, childPath(sandbox.cgroupParent, leaf));
}

/** Host ports of the pod; a host port of 0 asks for none (CRI PortMapping). */
export function portMappings(config: PodSandboxConfig): PortMapping[] {
  return config.port_mappings
    .filter((mapping) => mapping.host_port > 0)
    .map((mapping) => ({
      hostPort: mapping.host_port,
      containerPort: mapping.container_port,
      protocol: mapping.protocol.toLowerCase() as PortMapping['protocol'],
      hostIP: mapping.host_ip,
    }));
}
