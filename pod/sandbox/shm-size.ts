import { RuntimeError } from '../../api/errors.ts';

/** The pod annotation by which CRI-O's users choose the size of /dev/shm. */
const ANNOTATION = 'io.kubernetes.cri-o.ShmSize';

const DEFAULT_BYTES = 64 << 20;

const units: Record<string, number> = {
  '': 1, k: 1e3, M: 1e6, G: 1e9, T: 1e12, Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30, Ti: 2 ** 40,
};

/**
 * Size of a pod's /dev/shm in bytes: a Kubernetes quantity such as `128Mi` in the pod's annotation, else 64 MiB. What is
 * written there counts as memory of the container that wrote it. Throws `invalid` for what is no size.
 */
export function shmSizeBytes(annotations: Readonly<Record<string, string>>): number {
  const asked = annotations[ANNOTATION];
  if (asked === undefined) return DEFAULT_BYTES;
  const [, number = '', unit = ''] = /^(\d+(?:\.\d+)?)(k|[MGT]|[KMGT]i)?$/.exec(asked) ?? [];
  const bytes = Math.ceil(Number(number) * (units[unit] ?? 1));
  if (number === '' || bytes < 1 || !Number.isSafeInteger(bytes)) {
    throw new RuntimeError('invalid', `annotation ${ANNOTATION} "${asked}" is no size: give a quantity such as 128Mi`);
  }
  return bytes;
}
