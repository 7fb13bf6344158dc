import type { Problem, ProblemKind } from '../../api/problem.ts';
import { containerPaths, podPaths, type Roots, socketName } from '../paths.ts';
import type { Container, Sandbox } from '../record.ts';
import type { CgroupSeen, ContainerSeen, PodSeen, StateSeen } from './look.ts';

/** The records that what is seen is compared with. */
export type StateKnown = { roots: Roots; sandboxes: readonly Sandbox[]; containers: readonly Container[] };

/** What is wrong with pods and containers: what their records lack, then what has no record. */
export function judgeState(seen: StateSeen, known: StateKnown): Problem[] {
  return [...lacking(seen, known), ...orphans(seen, known)];
}

/** What pods and containers lack that are as they should be by their records. */
export function lacking(seen: StateSeen, { roots, sandboxes, containers }: StateKnown): Problem[] {
  const ids = new Set(sandboxes.map(({ id }) => id));
  return [
    ...sandboxes.flatMap((sandbox) => podLacks(sandbox, seen.pods.get(sandbox.id), roots)),
    ...containers.flatMap((container) => {
      if (ids.has(container.sandboxId)) return containerLacks(container, seen.containers.get(container.id), roots);
      return [problem('container-pod', container.id, containerPaths(roots, container.id).bundle, `is of pod ${container.sandboxId}, which has no record`, 'remove the container')];
    }),
  ];
}

function podLacks(sandbox: Sandbox, seen: PodSeen | undefined, roots: Roots): Problem[] {
  if (sandbox.state !== 'ready' || seen === undefined) return [];
  const { id } = sandbox;
  const paths = podPaths(roots, id);
  const ownNetwork = sandbox.namespaces.network === 'POD' && !sandbox.networkReleased;
  return [
    ...(seen.shim ? [] : [problem('pod-shim', id, paths.socket, 'its shim cannot be asked', 'kill what is left in the pod and show it as not ready, as when its shim ends')]),
    ...(seen.netns || !ownNetwork ? [] : [problem('pod-netns', id, paths.netns, 'its network namespace is not pinned there any more', 'show the pod as not ready, so that the kubelet makes another')]),
    ...(seen.cgroup || !seen.shim ? [] : [problem('pod-cgroup', id, sandbox.cgroupParent, 'the cgroup of its shim is gone', '')]),
    ...(seen.noted || !ownNetwork || sandbox.attachment === null ? [] : [problem('pod-network', id, `${roots.root}/network/${id}.json`, 'its network attachment is not noted beyond the boot', 'note it anew')]),
  ];
}

function containerLacks({ id, state }: Container, seen: ContainerSeen | undefined, roots: Roots): Problem[] {
  if ((state !== 'created' && state !== 'running') || seen === undefined) return [];
  const { bundle, rootfs, writable } = containerPaths(roots, id);
  const lacks = (kind: ProblemKind, path: string, what: string): Problem => problem(kind, id, path, `${what}; it goes on as long as it can, and its pod has to be made anew`, '');
  return [
    ...(seen.bundle ? [] : [lacks('container-bundle', bundle, 'its bundle is gone')]),
    ...(seen.rootfs ? [] : [lacks('container-rootfs', rootfs, 'its root is not mounted there any more')]),
    ...(seen.writable ? [] : [lacks('container-layer', writable, 'its writable layer is gone')]),
    ...(seen.cgroup || !seen.process ? [] : [lacks('container-cgroup', bundle, 'its process is alive and its cgroup is gone')]),
  ];
}

function orphans(seen: StateSeen, { roots, sandboxes, containers }: StateKnown): Problem[] {
  const pods = new Set(sandboxes.map(({ id }) => id));
  const sockets = new Set(sandboxes.map(({ id }) => socketName(id)));
  const ids = new Set(containers.map(({ id }) => id));
  const ownerless = [...new Set([...seen.bundles, ...seen.writables])].filter((id) => !ids.has(id));
  const bundles = new Set(seen.bundles);
  const folders = new Set([...seen.podFolders.map((id) => `pods/${id}`), ...seen.bundles.map((id) => `containers/${id}`)]);
  const isOurs = (point: string): boolean => {
    const [kind, id, ...within] = point.slice(roots.state.length + 1).split('/');
    return within.length > 0 && folders.has(`${kind}/${id}`);
  };
  return [
    ...seen.sockets.filter((name) => !sockets.has(name)).map((name) => problem('orphan-shim', name, `${roots.state}/s/${name}`, 'is the socket of a shim without record', 'end the shim with what it runs')),
    ...seen.noted.filter((id) => !pods.has(id)).map((id) => problem('orphan-network', id, `${roots.root}/network/${id}.json`, 'is the network attachment of a pod without record', 'release it by its plugins (DEL)')),
    ...seen.podFolders.filter((id) => !pods.has(id)).map((id) => problem('orphan-pod', id, `${roots.state}/pods/${id}`, 'is the folder of a pod without record', 'remove it with its mounts and its network namespace')),
    ...ownerless.map((id) => problem('orphan-container', id, bundles.has(id) ? containerPaths(roots, id).bundle : containerPaths(roots, id).writable, 'is of a container without record', 'remove its bundle, mounts and writable layer')),
    ...seen.mounts.filter((point) => !isOurs(point)).map((point) => problem('orphan-mount', point.slice(roots.state.length + 1), point, 'is a mount that is nobody\'s', 'unmount it')),
    ...seen.cgroups.filter(({ id }) => !pods.has(id) && !ids.has(id)).map(orphanCgroup),
  ];
}

/** Processes in it may be those of another runtime, so that one is told of only. */
function orphanCgroup({ path, id, hasProcesses }: CgroupSeen): Problem {
  const what = 'is the cgroup of a pod or container without record';
  return hasProcesses ? problem('orphan-cgroup', id, path, `${what}, and has processes`, '') : problem('orphan-cgroup', id, path, what, 'remove it');
}

function problem(kind: ProblemKind, id: string, path: string, what: string, repair: string): Problem {
  return { kind, id, path, what, repair };
}
