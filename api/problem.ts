/** What `berth check` may find, by what is wrong; docs/storage.md lists them. */
export type ProblemKind =
  | 'image-record'
  | 'image-layer'
  | 'layer-content'
  | 'orphan-layer'
  | 'leftover'
  | 'state-file'
  | 'state-record'
  | 'pod-shim'
  | 'pod-netns'
  | 'pod-cgroup'
  | 'pod-network'
  | 'container-pod'
  | 'container-bundle'
  | 'container-rootfs'
  | 'container-layer'
  | 'container-cgroup'
  | 'orphan-shim'
  | 'orphan-pod'
  | 'orphan-container'
  | 'orphan-mount'
  | 'orphan-network'
  | 'orphan-cgroup';

/** One thing that is not as it should be. `id` is of the image, layer, pod or container that it is about. */
export type Problem = {
  kind: ProblemKind;
  id: string;
  path: string;
  what: string;
  /** What a repair does, in words; empty when it does nothing, then `what` says why. */
  repair: string;
};

/** A problem and what became of it; `error` says why a repair that was tried failed. */
export type Checked = Problem & { repaired: boolean; error: string };

/** How much was looked at; `unverified`: layers whose content nothing is known of to compare with. */
export type CheckCounts = { images: number; layers: number; unverified: number; pods: number; containers: number };

/** One line for people. */
export function problemText({ kind, id, path, what, repair, repaired, error }: Checked): string {
  return [`${kind} ${id} ${path}: ${what}`, outcome()].filter((part) => part !== '').join('; ');

  function outcome(): string {
    if (repaired) return `repaired: ${repair}`;
    if (error !== '') return `not repaired: ${error}`;
    return repair === '' ? '' : `a repair would ${repair}`;
  }
}

/** The last line for people. */
export function countsText(counts: CheckCounts, found: readonly Checked[]): string {
  const { images, layers, pods, containers, unverified } = counts;
  const repaired = found.filter((each) => each.repaired).length;
  const unknown = unverified === 0 ? '' : `; of ${unverified} layers the content could not be verified`;
  return `${found.length} problems, ${repaired} repaired; looked at ${images} images, ${layers} layers, ${pods} pods, ${containers} containers${unknown}`;
}
