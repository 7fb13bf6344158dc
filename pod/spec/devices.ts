import type { Found, FoundDevice } from './input.ts';
import type { OciDevice, OciDeviceRule } from './oci.ts';

/**
 * The container's device nodes and the rules of its cgroup: all is denied but the asked ones (the OCI runtime adds
 * null, zero, full, random, urandom, tty and the ptys by itself); a privileged container may use every device.
 */
export function devices(found: Found | undefined, privileged: boolean): { nodes: OciDevice[]; rules: OciDeviceRule[] } {
  const asked = found?.devices ?? [];
  const nodes = asked.map(({ access: _, ...node }) => node);
  if (privileged) return { nodes, rules: [{ allow: true, access: 'rwm' }] };
  return { nodes, rules: [{ allow: false, access: 'rwm' }, ...asked.flatMap(allowed)] };
}

function allowed({ type, major, minor, access }: FoundDevice): OciDeviceRule[] {
  return type === 'p' ? [] : [{ allow: true, type, major, minor, access }];
}
