import { readFileSync } from 'node:fs';
import { loadSync } from '@grpc/proto-loader';
import test from 'ava';
import { decode, definitions, encode, encodedList, protoPath } from './cri.ts';
import { protoOptions } from './proto.ts';
import { type CriTable, readTable, typesFrom } from './write-cri-types.ts';

const table = readTable();

test('the loaded descriptor has exactly the services, messages, fields and enums of the table', (t) => {
  const { services, enums, messages } = table;
  const loaded = loadSync(protoPath, protoOptions) as unknown as Record<string, Described>;
  t.deepEqual(tableOf(loaded), { services, enums, messages });
});

test('the TypeScript types are those of the table', (t) => {
  t.is(readFileSync(new URL('cri-types.ts', import.meta.url), 'utf8'), typesFrom(table));
});

test('the services offer every rpc of the table under its path', (t) => {
  const { runtimeService, imageService } = definitions();
  const paths = Object.entries({ RuntimeService: runtimeService, ImageService: imageService }).flatMap(
    ([name, service]) => Object.entries(service).map(([rpc, { path }]) => [path, `/runtime.v1.${name}/${rpc}`]),
  );
  t.is(paths.length, 43);
  for (const [path, expected] of paths) t.is(path, expected);
});

test('64-bit integers and bytes survive encoding exactly', (t) => {
  const status = decode('PodSandboxStatus', encode('PodSandboxStatus', { created_at: '9223372036854775807' }));
  t.is(status.created_at, '9223372036854775807');
  const pair = decode('KeyValue', encode('KeyValue', { key: 'raw', value: Buffer.from([0xff, 0, 0x80]) }));
  t.deepEqual(pair.value, Buffer.from([0xff, 0, 0x80]));
  const groups = decode('LinuxContainerUser', encode('LinuxContainerUser', { supplemental_groups: ['4294967296'] }));
  t.deepEqual(groups.supplemental_groups, ['4294967296']);
});

test('fields that were not sent have their defaults and absent messages are null', (t) => {
  const config = decode('ContainerConfig', Buffer.alloc(0));
  t.is(config.linux, null);
  t.is(config.stop_signal, 'SIGNAL_RUNTIME_DEFAULT');
  t.deepEqual(config.labels, {});
  t.deepEqual(config.envs, []);
  t.deepEqual(decode('KeyValue', Buffer.alloc(0)).value, Buffer.alloc(0));
});

test('a list made of encoded items reads the same as one encoded whole', (t) => {
  const items = ['', 'x'.repeat(100), 'y'.repeat(300), 'z'.repeat(20_000)].map((id) => ({ id, labels: { a: id } }));
  const whole = encode('ListPodSandboxResponse', { items });
  t.deepEqual(encodedList(items.map((item) => encode('PodSandbox', item))), whole);
  t.is(encodedList([]).length, 0);
});

test('every list and batch reply holds its items in field 1 alone, so that it can be made of encoded items', (t) => {
  const replies = Object.entries(table.messages).filter(([name]) => /^(List|Stream).*Response$/.test(name));
  t.true(replies.length > 10);
  for (const [name, fields] of replies) {
    const [first, ...rest] = Object.values(fields);
    t.deepEqual([first?.[0], rest.length], [1, 0], name);
  }
});

test('a reply that is bytes already is sent as it is', (t) => {
  const reply = encode('VersionResponse', { version: '0.1.0' });
  t.is(definitions().runtimeService.Version.responseSerialize(reply), reply);
});

type Field = { name: string; number: number; label: string; type: string; typeName: string };
type DescribedEnum = { name: string; value: { name: string; number: number }[] };
type DescribedMessage = {
  name: string;
  field: Field[];
  nestedType: { name: string; field: Field[]; options: { mapEntry?: boolean } | null }[];
  enumType: DescribedEnum[];
};
type DescribedRpc = Record<'requestType' | 'responseType', { type: { name: string } }> & { responseStream: boolean };
type Described = { type?: DescribedMessage & DescribedEnum } & Record<string, DescribedRpc>;

/** What proto-loader loaded, in the form of the table. */
function tableOf(loaded: Record<string, Described>): CriTable {
  const found: CriTable = { services: {}, enums: {}, messages: {} };
  for (const [fullName, definition] of Object.entries(loaded)) {
    const name = fullName.replace('runtime.v1.', '');
    if (name.startsWith('google.')) continue;
    const type = definition.type;
    if (type === undefined) found.services[name] = rpcsOf(definition);
    else if (type.field === undefined) found.enums[name] = enumOf(type);
    else {
      const fields = type.field.map((field) => [field.name, [field.number, typeOf(field, type)]]);
      found.messages[name] = Object.fromEntries(fields);
      for (const nested of type.enumType) found.enums[`${name}.${nested.name}`] = enumOf(nested);
    }
  }
  return found;
}

function rpcsOf(service: Record<string, DescribedRpc>): Record<string, string[]> {
  return Object.fromEntries(
    Object.entries(service).map(([rpc, { requestType, responseType, responseStream }]) => [
      rpc,
      [requestType.type.name, responseType.type.name, ...(responseStream ? ['server stream'] : [])],
    ]),
  );
}

function enumOf(type: DescribedEnum): Record<string, number> {
  return Object.fromEntries(type.value.map(({ name, number }) => [name, number]));
}

function typeOf(field: Field, message: DescribedMessage): string {
  const entry = message.nestedType.find(({ name, options }) => options?.mapEntry === true && name === field.typeName);
  if (entry !== undefined) return `map<${entry.field.map(plainType).join()}>`;
  const isNested = message.enumType.some(({ name }) => name === field.typeName);
  const plain = isNested ? `${message.name}.${field.typeName}` : plainType(field);
  return field.label === 'LABEL_REPEATED' ? `repeated ${plain}` : plain;
}

function plainType({ type, typeName }: Field): string {
  return typeName === '' ? type.replace('TYPE_', '').toLowerCase() : typeName;
}
