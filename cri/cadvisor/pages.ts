import { decode } from '../../api/cri.ts';
import type { CgroupDriver } from '../../host/cgroup.ts';
import { containerPaths, type Roots } from '../../pod/paths.ts';
import type { Container, Sandbox } from '../../pod/record.ts';

/** cAdvisor's name for a pod itself, by which it finds the pod's network. */
const POD_NAME = 'POD';

/** Every id of the host as itself, in the keys of CRI-O's mapping. */
const IDENTITY = [{ container_id: 0, host_id: 0, size: 4_294_967_295 }];

/** What cAdvisor is told of the runtime: `GET /info`, in CRI-O's keys. */
export function infoPage(roots: Roots, driver: CgroupDriver): string {
  return JSON.stringify({
    storage_driver: 'overlay', storage_image: '', storage_root: roots.root, cgroup_driver: driver,
    default_id_mappings: { uids: IDENTITY, gids: IDENTITY },
  });
}

/** What cAdvisor is told of a container: `GET /containers/ID`, in CRI-O's keys. No environment, for it may be secret. */
export function containerPage(roots: Roots, container: Container, sandbox: Sandbox | undefined): string {
  const { image } = decode('ContainerConfig', container.config);
  return page(container.createdAtNs, {
    name: `k8s_${container.name}_${podName(sandbox)}_${container.attempt}`,
    pid: container.state === 'exited' ? 0 : container.pid,
    image: image?.user_specified_image || image?.image || '',
    image_ref: container.imageId,
    labels: container.labels,
    annotations: container.annotations,
    log_path: container.logPath,
    root: containerPaths(roots, container.id).writable,
    ...ofSandbox(container.sandboxId, sandbox),
  });
}

/** The same of a pod itself: its process is the shim, which is in the pod's network namespace. */
export function sandboxPage(roots: Roots, sandbox: Sandbox): string {
  return page(sandbox.createdAtNs, {
    name: `k8s_${POD_NAME}_${podName(sandbox)}_${sandbox.attempt}`,
    pid: sandbox.networkReleased ? 0 : sandbox.shimPid,
    image: '',
    image_ref: '',
    labels: { ...sandbox.labels, 'io.kubernetes.container.name': POD_NAME },
    annotations: sandbox.annotations,
    log_path: sandbox.logDirectory,
    root: emptyLayer(roots),
    ...ofSandbox(sandbox.id, sandbox),
  });
}

/** Stands for the writable layer of a pod itself, which has none: cAdvisor measures the folder `diff` of every root. */
export function emptyLayer(roots: Roots): string {
  return `${roots.root}/empty`;
}

function ofSandbox(id: string, sandbox: Sandbox | undefined) {
  return {
    crio_annotations: {},
    sandbox: id,
    ip_addresses: sandbox?.attachment?.ips ?? [],
    host_network: sandbox?.namespaces.network === 'NODE',
  };
}

function podName(sandbox: Sandbox | undefined): string {
  return `${sandbox?.name ?? ''}_${sandbox?.namespace ?? ''}_${sandbox?.uid ?? ''}`;
}

/** Nanoseconds are more than a number of JavaScript holds. */
function page(createdAtNs: string, rest: object): string {
  return `{"created_time":${createdAtNs},${JSON.stringify(rest).slice(1)}`;
}
