import type { IDMapping, NamespaceOption } from '../../api/cri.ts';
import type { IdMapping, IdMappings } from '../../api/engine.ts';
import { RuntimeError } from '../../api/errors.ts';
import type { ResolvedUser } from './input.ts';
import type { OciIdMapping } from './oci.ts';

/**
 * The ids of the user namespace that a pod asks for (CRI UserNamespace); null for the host's. Throws `invalid` for modes
 * that no pod can have, for mappings other than one range each from 0 inside, and beside namespaces of the host that a
 * user namespace's root may not use.
 */
export function podIdMappings(options: NamespaceOption | null): IdMappings | null {
  const asked = options?.userns_options ?? null;
  if (options === null || asked === null || asked.mode === 'NODE') {
    if (asked && asked.uids.length + asked.gids.length > 0) throw refusal('mode NODE takes no mappings');
    return null;
  }
  if (asked.mode !== 'POD') throw refusal(`mode ${asked.mode} is not possible: POD or NODE`);
  for (const kind of ['pid', 'ipc'] as const) {
    if (options[kind] === 'NODE') throw refusal(`mode POD is not possible with the host's ${kind} namespace`);
  }
  return { uids: [oneRange('uids', asked.uids)], gids: [oneRange('gids', asked.gids)] };
}

/** Throws `invalid` unless a container asks for what its pod has, or does not ask. */
export function refuseOtherUserNamespace(ofPod: NamespaceOption | null, ofContainer: NamespaceOption | null): void {
  if (!ofContainer?.userns_options) return;
  const mappings = (options: NamespaceOption): string => JSON.stringify(podIdMappings({ ...options, pid: 'POD', ipc: 'POD' }));
  if (mappings(ofContainer) !== (ofPod ? mappings(ofPod) : 'null')) {
    throw refusal("a container's mode and mappings must be those of its pod");
  }
}

export const ROOT = { uid: 0, gid: 0 };

/** What a user and group of a container are on the host. */
export function onHost({ uid, gid }: { uid: number; gid: number }, mappings: IdMappings | null): { uid: number; gid: number } {
  return { uid: uid + (mappings?.uids[0]?.hostId ?? 0), gid: gid + (mappings?.gids[0]?.hostId ?? 0) };
}

/** Throws `invalid` for a user or group that the user namespace has no id for. */
export function refuseUnmapped({ uid, groups }: ResolvedUser, { uids, gids }: IdMappings): void {
  const size = (ranges: readonly IdMapping[]): number => ranges[0]?.size ?? 0;
  if (uid >= size(uids)) throw refusal(`it has no user ${uid}, its ${size(uids)} ids begin at 0`);
  const group = groups.find((id) => id >= size(gids));
  if (group !== undefined) throw refusal(`it has no group ${group}, its ${size(gids)} ids begin at 0`);
}

/** Mappings as the OCI configuration has them (config-linux.md, User namespace mappings). */
export function ociMappings(mappings: readonly IdMapping[]): OciIdMapping[] {
  return mappings.map(({ containerId, hostId, size }) => ({ containerID: containerId, hostID: hostId, size }));
}

/** Highest id that exists: -1 stands for "no change" in chown(2). */
const LAST_ID = 2 ** 32 - 2;

function oneRange(field: string, ranges: IDMapping[]): IdMapping {
  const [range, ...more] = ranges;
  if (range === undefined || more.length > 0) throw refusal(`${field} has ${ranges.length} mappings, exactly one is possible`);
  const { container_id: containerId, host_id: hostId, length: size } = range;
  if (containerId !== 0) throw refusal(`${field} maps from id ${containerId} of the container, it must be 0`);
  if (size === 0 || hostId + size - 1 > LAST_ID) throw refusal(`${field} maps ${size} ids from ${hostId} of the host`);
  return { containerId, hostId, size };
}

function refusal(why: string): RuntimeError {
  return new RuntimeError('invalid', `user namespace: ${why}`);
}
