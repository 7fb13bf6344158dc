/** Where everything of one daemon lies: `root` on a disk, `state` on tmpfs, both absolute. */
export type Roots = { root: string; state: string; netnsDir: string };

/** Paths of one pod in the state directory; all of them end with the boot. */
export function podPaths(roots: Roots, id: string): {
  directory: string; socket: string; shm: string; netns: string; hosts: string; hostname: string; resolvConf: string;
} {
  const directory = `${roots.state}/pods/${id}`;
  return {
    directory,
    socket: `${roots.state}/s/${socketName(id)}`,
    shm: `${directory}/shm`,
    netns: `${roots.netnsDir}/${id}`,
    hosts: `${directory}/hosts`,
    hostname: `${directory}/hostname`,
    resolvConf: `${directory}/resolv.conf`,
  };
}

/** Name of a pod's socket, short for the sake of its path. */
export function socketName(id: string): string {
  return id.slice(0, 16);
}

/**
 * Paths of one container: bundle, rootfs and mounted images in the state directory, its writable layer below
 * the root, named as cAdvisor looks for it.
 */
export type ContainerPaths = {
  bundle: string; rootfs: string; layers: string; images: string; writable: string; upper: string; work: string;
};

/** Where everything of one container lies. */
export function containerPaths(roots: Roots, id: string): ContainerPaths {
  const bundle = `${roots.state}/containers/${id}`;
  const writable = `${roots.root}/containers/${id}`;
  return {
    bundle, rootfs: `${bundle}/rootfs`, layers: `${bundle}/layers`, images: `${bundle}/images`,
    writable, upper: `${writable}/diff`, work: `${writable}/work`,
  };
}

/** Longest state path that leaves room for a shim's socket in sockaddr_un (unix(7): 107 bytes and the closing zero). */
export const MAX_STATE_PATH_BYTES = 107 - '/s/'.length - 16;
