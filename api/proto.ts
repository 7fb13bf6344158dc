import type { MethodDefinition } from '@grpc/grpc-js';
import { loadSync, type PackageDefinition, type ServiceDefinition } from '@grpc/proto-loader';

/** A service as grpc-js takes it, by rpc name. A reply that is a Buffer already counts as encoded. */
export type Service<R> = { [Rpc in keyof R]: MethodDefinition<object, object | Buffer> };

/** How messages look here: fields named as in the protobuf text, 64-bit integers as decimal strings, enums by name. */
export const protoOptions = { keepCase: true, longs: String, enums: String, defaults: true, oneofs: true } as const;

/** What the protobuf text at this absolute path defines, by full name. */
export function loadProto(path: string): PackageDefinition {
  return loadSync(path, protoOptions);
}

/** The service of that full name, without the descriptors that the loader adds. */
export function serviceIn<R>(loaded: PackageDefinition, name: string): Service<R> {
  const methods = Object.entries(loaded[name] as ServiceDefinition).map(([rpc, method]) => [
    rpc,
    {
      path: method.path,
      requestStream: method.requestStream,
      responseStream: method.responseStream,
      requestSerialize: method.requestSerialize,
      requestDeserialize: method.requestDeserialize,
      responseSerialize: (reply: object) => (Buffer.isBuffer(reply) ? reply : method.responseSerialize(reply)),
      responseDeserialize: method.responseDeserialize,
    },
  ]);
  return Object.fromEntries(methods) as Service<R>;
}
