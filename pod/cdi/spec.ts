import type { HookName, OciIntelRdt } from '../spec/oci.ts';
import type { CdiHook, CdiMount, DeviceNode, Edits, NetDevice } from './edits.ts';
import { type Fields, fieldsOf } from './fields.ts';
import { isClass, isDeviceName, isVendor } from './names.ts';

/** A CDI file: devices of one kind, `vendor/class`, and what each changes of a container. */
export type CdiSpec = {
  kind: string;
  devices: { name: string; edits: Edits }[];
  /** Made once for a container that has any of the devices. */
  edits: Edits;
};

/** Reads a parsed CDI file (CDI SPEC.md, versions 0.3 to 1.x). Throws an Error that names what is wrong where. */
export function readCdiSpec(value: unknown): CdiSpec {
  const fields = fieldsOf(value, 'spec', ['cdiVersion', 'kind', 'annotations', 'devices', 'containerEdits']);
  const version = fields.required('cdiVersion');
  if (!/^v?[01]\.\d+(\.\d+)?$/.test(version)) throw new Error(`spec.cdiVersion ${version} is not one that is known here (0.x, 1.x)`);
  const kind = fields.required('kind');
  const [vendor = '', cdiClass = '', more] = kind.split('/');
  if (more !== undefined || !isVendor(vendor) || !isClass(cdiClass)) throw new Error(`spec.kind ${kind} is not VENDOR/CLASS`);
  const devices = fields.objects('devices', ['name', 'annotations', 'containerEdits']).map(readDevice);
  if (devices.length === 0) throw new Error('spec.devices is empty');
  const twice = devices.find(({ name }, index) => devices.findIndex((other) => other.name === name) < index);
  if (twice) throw new Error(`spec.devices has ${twice.name} twice`);
  return { kind, devices, edits: readEdits(fields.object('containerEdits', editNames)) };
}

const editNames = ['env', 'deviceNodes', 'mounts', 'hooks', 'netDevices', 'additionalGids', 'intelRdt'];

function readDevice(fields: Fields): CdiSpec['devices'][number] {
  const name = fields.required('name');
  if (!isDeviceName(name)) throw new Error(`spec.devices: ${name} is no name of a device`);
  return { name, edits: readEdits(fields.object('containerEdits', editNames)) };
}

function readEdits(fields: Fields | null): Edits {
  if (!fields) return { env: [], deviceNodes: [], mounts: [], hooks: [], netDevices: [], additionalGids: [], intelRdt: null };
  const nodeNames = ['path', 'hostPath', 'type', 'major', 'minor', 'fileMode', 'permissions', 'uid', 'gid'];
  const rdtNames = ['closID', 'l3CacheSchema', 'memBwSchema', 'schemata', 'enableMonitoring', 'enableCMT', 'enableMBM'];
  return {
    env: assignments(fields, 'env'),
    deviceNodes: fields.objects('deviceNodes', nodeNames).map(readNode),
    mounts: fields.objects('mounts', ['hostPath', 'containerPath', 'type', 'options']).map(readMount),
    hooks: fields.objects('hooks', ['hookName', 'path', 'args', 'env', 'timeout']).map(readHook),
    netDevices: fields.objects('netDevices', ['hostInterfaceName', 'name']).map(readNetDevice),
    additionalGids: fields.numbers('additionalGids').filter((gid) => gid !== 0),
    intelRdt: readRdt(fields.object('intelRdt', rdtNames)),
  };
}

function readNode(fields: Fields): DeviceNode {
  const path = absolute(fields, 'path');
  const type = fields.text('type');
  const permissions = fields.text('permissions') || 'rwm';
  if (!['', 'b', 'c', 'u', 'p'].includes(type)) throw new Error(`device node ${path}: type ${type} is none of b, c, u, p`);
  if (!/^[rwm]+$/.test(permissions)) throw new Error(`device node ${path}: permissions ${permissions} are not a subset of rwm`);
  return {
    path,
    hostPath: fields.text('hostPath') === '' ? path : absolute(fields, 'hostPath'),
    // An unbuffered character device is a character device to Linux (mknod(1)).
    type: type === 'u' ? 'c' : (type as DeviceNode['type']),
    major: fields.number('major') ?? 0,
    minor: fields.number('minor') ?? 0,
    fileMode: fields.number('fileMode'),
    permissions,
    uid: fields.number('uid'),
    gid: fields.number('gid'),
  };
}

function readMount(fields: Fields): CdiMount {
  return {
    hostPath: fields.required('hostPath'),
    containerPath: absolute(fields, 'containerPath'),
    type: fields.text('type'),
    options: fields.texts('options'),
  };
}

const hookNames: readonly string[] = [
  'prestart', 'createRuntime', 'createContainer', 'startContainer', 'poststart', 'poststop',
] satisfies HookName[];

function readHook(fields: Fields): CdiHook {
  const name = fields.required('hookName');
  if (!hookNames.includes(name)) throw new Error(`hook ${name} is none of ${hookNames.join(', ')}`);
  const timeout = fields.number('timeout');
  return { name: name as HookName, path: absolute(fields, 'path'), args: fields.texts('args'), env: assignments(fields, 'env'), timeout };
}

function readNetDevice(fields: Fields): NetDevice {
  return { hostInterfaceName: fields.required('hostInterfaceName'), name: fields.required('name') };
}

function readRdt(fields: Fields | null): OciIntelRdt | null {
  if (!fields) return null;
  const texts = ['closID', 'l3CacheSchema', 'memBwSchema'] as const;
  const schemata = fields.texts('schemata');
  return {
    ...Object.fromEntries(texts.map((name) => [name, fields.text(name)]).filter(([, text]) => text !== '')),
    ...(schemata.length > 0 && { schemata }),
    ...(['enableMonitoring', 'enableCMT', 'enableMBM'].some((name) => fields.truth(name)) && { enableMonitoring: true }),
  };
}

function absolute(fields: Fields, name: string): string {
  const path = fields.required(name);
  if (!path.startsWith('/')) throw new Error(`${name} ${path} is not absolute`);
  return path;
}

function assignments(fields: Fields, name: string): string[] {
  const wrong = fields.texts(name).find((each) => !/^[^=\0]+=[^\0]*$/.test(each));
  if (wrong !== undefined) throw new Error(`environment variable ${JSON.stringify(wrong)} is not NAME=VALUE`);
  return fields.texts(name);
}
