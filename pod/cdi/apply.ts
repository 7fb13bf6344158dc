import { parentsFirst } from '../spec/mounts.ts';
import type { OciDeviceRule, OciHooks, OciMount, OciSpec } from '../spec/oci.ts';
import type { CdiMount, CompleteEdits, CompleteNode } from './edits.ts';

/** The configuration with the changes of CDI devices made one after the other. */
export function withEdits(spec: OciSpec, edits: readonly CompleteEdits[]): OciSpec {
  return edits.reduce(withEdit, spec);
}

function withEdit(spec: OciSpec, edit: CompleteEdits): OciSpec {
  const { process, linux } = spec;
  const hooks = edit.hooks.reduce(withHook, spec.hooks ?? {});
  const gids = [...process.user.additionalGids, ...edit.additionalGids];
  const { netDevices, intelRdt } = edit;
  const moved = Object.fromEntries(netDevices.map(({ hostInterfaceName, name }) => [hostInterfaceName, { name }]));
  return {
    ...spec,
    process: { ...process, env: withEnv(process.env, edit.env), user: { ...process.user, additionalGids: [...new Set(gids)] } },
    mounts: withMounts(spec.mounts, edit.mounts),
    ...(Object.keys(hooks).length > 0 && { hooks }),
    linux: {
      ...linux,
      ...withNodes(spec, edit.deviceNodes),
      ...(netDevices.length > 0 && { netDevices: { ...linux.netDevices, ...moved } }),
      ...(intelRdt && { intelRdt }),
    },
  };
}

function withEnv(env: readonly string[], added: readonly string[]): string[] {
  const byName = new Map([...env, ...added].map((entry) => [entry.slice(0, entry.indexOf('=')), entry]));
  return [...byName.values()];
}

/** A node takes the place of another at its path; one without owner belongs to the container's user. */
function withNodes({ process, linux }: OciSpec, nodes: readonly CompleteNode[]): Pick<OciSpec['linux'], 'devices' | 'resources'> {
  const devices = new Map(linux.devices.map((device) => [device.path, device]));
  for (const { access: _, uid, gid, ...node } of nodes) {
    devices.set(node.path, { ...node, uid: uid ?? process.user.uid, gid: gid ?? process.user.gid });
  }
  const rules = nodes.filter(({ type }) => type !== 'p').map(({ type, major, minor, access }) => ({ allow: true, type, major, minor, access }) as OciDeviceRule);
  return { devices: [...devices.values()], resources: { ...linux.resources, devices: [...(linux.resources.devices ?? []), ...rules] } };
}

function withMounts(mounts: readonly OciMount[], added: readonly CdiMount[]): OciMount[] {
  const places = new Set(added.map(({ containerPath }) => containerPath));
  return parentsFirst([...mounts.filter(({ destination }) => !places.has(destination)), ...added.map(ociMount)]);
}

/** Without a type it is a bind mount, whether its options say so or not. */
function ociMount({ hostPath: source, containerPath: destination, type, options }: CdiMount): OciMount {
  const binds = options.includes('bind') || options.includes('rbind');
  if (type !== '' && type !== 'none' && type !== 'bind') return { destination, type, source, options };
  return { destination, type: 'bind', source, options: binds ? options : ['rbind', ...options] };
}

function withHook(hooks: OciHooks, { name, path, args, env, timeout }: CompleteEdits['hooks'][number]): OciHooks {
  const hook = { path, ...(args.length > 0 && { args }), ...(env.length > 0 && { env }), ...(timeout !== null && { timeout }) };
  return { ...hooks, [name]: [...(hooks[name] ?? []), hook] };
}
