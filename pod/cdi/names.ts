import type { ContainerConfig } from '../../api/cri.ts';
import { RuntimeError } from '../../api/errors.ts';

/** Beginning of the annotations by which device plugins ask for devices (CDI, pkg/cdi annotations). */
const ANNOTATION_PREFIX = 'cdi.k8s.io/';

/**
 * The CDI devices that a container asks for by field and by annotation, each once. Throws `invalid` for a name that is
 * not VENDOR/CLASS=DEVICE.
 */
export function askedCdiDevices({ CDI_devices: fields, annotations }: Pick<ContainerConfig, 'CDI_devices' | 'annotations'>): string[] {
  const annotated = Object.entries(annotations)
    .filter(([key]) => key.startsWith(ANNOTATION_PREFIX))
    .flatMap(([, value]) => value.split(','));
  const names = [...new Set([...fields.map(({ name }) => name), ...annotated])];
  const wrong = names.find((name) => !isQualified(name));
  if (wrong !== undefined) throw new RuntimeError('invalid', `CDI device ${JSON.stringify(wrong)} is not VENDOR/CLASS=DEVICE`);
  return names;
}

function isQualified(text: string): boolean {
  const [, vendor = '', cdiClass = '', device = ''] = /^([^/=]+)\/([^/=]+)=(.+)$/s.exec(text) ?? [];
  return isVendor(vendor) && isClass(cdiClass) && isDeviceName(device);
}

/** Whether the text can name a vendor: `vendor.com`. */
export function isVendor(text: string): boolean {
  return /^[a-z](?:[\w.-]*[a-z\d])?$/i.test(text);
}

/** Whether the text can name a class of devices: `gpu`. */
export function isClass(text: string): boolean {
  return /^[a-z](?:[\w.-]*[a-z\d])?$/i.test(text);
}

/** Whether the text can name a device: `0`, `gpu-all`, `0:1`. */
export function isDeviceName(text: string): boolean {
  return /^[a-z\d](?:[\w.:-]*[a-z\d])?$/i.test(text);
}
