import type { PACKET } from '../../api/shim.ts';

/** One packet of a stream connection. */
export type Packet = { kind: number; body: Buffer };

const HEADER_BYTES = 5;

/** Largest packet body either side sends, in bytes. */
export const MAX_PACKET_BYTES = 1 << 20;

/** One packet: kind, 4-byte little-endian length, body. */
export function encodePacket(kind: (typeof PACKET)[keyof typeof PACKET], body: Buffer): Buffer {
  const packet = Buffer.allocUnsafe(HEADER_BYTES + body.length);
  packet.writeUInt8(kind, 0);
  packet.writeUInt32LE(body.length, 1);
  body.copy(packet, HEADER_BYTES);
  return packet;
}

/** A reader of packets: feed it bytes as they come, it returns those completed. Throws RangeError on an oversize one. */
export function packetReader(): (chunk: Buffer) => Packet[] {
  let pending: Buffer = Buffer.alloc(0);
  return (chunk) => {
    pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
    const packets: Packet[] = [];
    while (pending.length >= HEADER_BYTES) {
      const length = pending.readUInt32LE(1);
      if (length > MAX_PACKET_BYTES) throw new RangeError(`packet of ${length} bytes, at most ${MAX_PACKET_BYTES}`);
      if (pending.length < HEADER_BYTES + length) break;
      packets.push({ kind: pending.readUInt8(0), body: pending.subarray(HEADER_BYTES, HEADER_BYTES + length) });
      pending = pending.subarray(HEADER_BYTES + length);
    }
    return packets;
  };
}
