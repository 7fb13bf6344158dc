import { fileURLToPath } from 'node:url';
import type { StreamRpc } from './cri-types.ts';
import { loadProto, type Service, serviceIn } from './proto.ts';

export type DumpRequest = { id: string };
export type DumpReply = { kind: 'sandbox' | 'container' | 'image'; id: string; json: string };

/** Every rpc of Control. */
export type ControlRpcs = {
  Dump: StreamRpc<DumpRequest, DumpReply>;
};

/** The service that the command-line client asks besides the CRI: `berth.v1.Control` of control.proto. */
export const controlService: Service<ControlRpcs> = serviceIn(
  loadProto(fileURLToPath(new URL('control.proto', import.meta.url))),
  'berth.v1.Control',
);
