import type { Found, FoundDevice, SpecInput } from './input.ts';
import type { OciDevice, OciDeviceRule } from './oci.ts';

/**
 * The container's device nodes and the rules of its cgroup: all is denied but the asked ones (the OCI runtime adds
 * null, zero, full, random, urandom, tty and the ptys by itself); a container that sees all devices may use them all.
 */
export function devices(found: Found | undefined, seesAll: boolean): { nodes: OciDevice[]; rules: OciDeviceRule[] } {
  const asked = found?.devices ?? [];
  const nodes = asked.map(({ access: _, ...node }) => node);
  if (seesAll) return { nodes, rules: [{ allow: true, access: 'rwm' }] };
  return { nodes, rules: [{ allow: false, access: 'rwm' }, ...asked.flatMap(allowed)] };
}

/** A privileged container sees all devices of the host, unless its handler is set to keep them from it. */
export function seesAllDevices({ container, handler }: Pick<SpecInput, 'container' | 'handler'>): boolean {
  return container.config.linux?.security_context?.privileged === true && !handler.privilegedWithoutHostDevices;
}

function allowed({ type, major, minor, access }: FoundDevice): OciDeviceRule[] {
  return type === 'p' ? [] : [{ allow: true, type, major, minor, access }];
}
