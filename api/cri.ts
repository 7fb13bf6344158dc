import { fileURLToPath } from 'node:url';
import type { AnyDefinition, MessageTypeDefinition } from '@grpc/proto-loader';
import type { ImageServiceRpcs, Messages, RuntimeServiceRpcs } from './cri-types.ts';
import { loadProto, type Service, serviceIn } from './proto.ts';

export type * from './cri-types.ts';

/** The rpcs of both services; no name is in both. */
export type Rpcs = RuntimeServiceRpcs & ImageServiceRpcs;

/** A message as it may be handed out: every field may be left out and then has its proto3 default. */
export type Draft<T> = T extends Buffer
  ? Buffer
  : T extends readonly (infer Item)[]
    ? readonly Draft<Item>[]
    : T extends object
      ? string extends keyof T
        ? T
        : { [Field in keyof T]?: Draft<T[Field]> | undefined }
      : T;

/** Absolute path of the protobuf text that everything here is read from. */
export const protoPath = fileURLToPath(new URL('../api/runtime.proto', import.meta.url));

let loaded: Definitions | undefined;

/**
 * All that the protobuf text defines, read at the first use: that takes tens of milliseconds, so a daemon does it while it
 * waits for its engine.
 */
export function definitions(): Definitions {
  loaded ??= load();
  return loaded;
}

/** The protobuf bytes of a message; throws TypeError when a field has a value of the wrong kind. */
export function encode<N extends keyof Messages>(name: N, message: Draft<Messages[N]>): Buffer {
  return codec(name).serialize(message);
}

/** The message in protobuf bytes, absent fields filled with their defaults; throws on bytes that are not one. */
export function decode<N extends keyof Messages>(name: N, bytes: Buffer): Messages[N] {
  return codec(name).deserialize(bytes) as Messages[N];
}

/**
 * The reply of a list from items that are encoded already: in each of them (`ListPodSandbox`, `ListContainers`,
 * `ListImages`, `List…Stats`, and the batches of the `Stream…` rpcs) the items are field 1, and nothing else is there.
 */
export function encodedList(items: readonly Buffer[]): Buffer {
  const reply = Buffer.allocUnsafe(listBytes(items));
  let at = 0;
  for (const item of items) at = writeItem(reply, at, item);
  return reply;
}

/** How many bytes the reply of a list of these encoded items has. */
export function listBytes(items: readonly Buffer[]): number {
  return items.reduce((sum, { length }) => sum + 1 + varintSize(length) + length, 0);
}

/** Writes one encoded item of a list to its reply, from byte `from` on; returns where the next one begins. */
export function writeItem(reply: Buffer, from: number, item: Buffer): number {
  reply[from] = LENGTH_DELIMITED_FIELD_1;
  const at = writeVarint(reply, from + 1, item.length);
  return at + item.copy(reply, at);
}

const LENGTH_DELIMITED_FIELD_1 = (1 << 3) | 2;

type Codec = Pick<MessageTypeDefinition<object, object>, 'serialize' | 'deserialize'>;

/** Both services, and what encodes and decodes each message. */
type Definitions = {
  messages: Map<string, Codec>;
  runtimeService: Service<RuntimeServiceRpcs>;
  imageService: Service<ImageServiceRpcs>;
};

/** The descriptors that the loader adds are let go. */
function load(): Definitions {
  const all = loadProto(protoPath);
  const codecs = Object.entries(all).flatMap(([name, definition]): [string, Codec][] =>
    isMessage(definition) ? [[name, { serialize: definition.serialize, deserialize: definition.deserialize }]] : [],
  );
  return {
    messages: new Map(codecs),
    runtimeService: serviceIn(all, 'runtime.v1.RuntimeService'),
    imageService: serviceIn(all, 'runtime.v1.ImageService'),
  };
}

function isMessage(definition: AnyDefinition): definition is MessageTypeDefinition<object, object> {
  return definition['format'] === 'Protocol Buffer 3 DescriptorProto';
}

function codec(name: string): Codec {
  const found = definitions().messages.get(`runtime.v1.${name}`);
  if (found === undefined) throw new TypeError(`no message ${name} in ${protoPath}`);
  return found;
}

function varintSize(value: number): number {
  let size = 1;
  for (let rest = value >>> 7; rest > 0; rest >>>= 7) size++;
  return size;
}

function writeVarint(to: Buffer, from: number, value: number): number {
  let at = from;
  let rest = value;
  for (; rest > 0x7f; rest >>>= 7) to[at++] = (rest & 0x7f) | 0x80;
  to[at++] = rest;
  return at;
}
