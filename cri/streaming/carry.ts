import type { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import { type ExecStatus, PACKET } from '../../api/shim.ts';
import { encodePacket, packetReader } from '../../pod/shim/packets.ts';
import { resizeReader } from './channels.ts';
import { type Client, write } from './client.ts';
import type { Session } from './session.ts';

/** A stream connection of a shim, past its reply, and the bytes that came right behind that. */
export type ShimStream = {
  connection: Socket;
  first: Buffer;
  /** A client that says no more has detached: what runs there goes on without it. */
  detaches: boolean;
};

/**
 * Carries bytes between a client and a shim's exec or attach until that ends or the client detaches, each side only as
 * fast as the other takes them. Returns its status; null when the connection ends without one.
 */
export async function carry(shim: ShimStream, client: Client, session: Session): Promise<ExecStatus | null> {
  carryResizes(shim.connection, client.resize);
  const input = carryInput(shim.connection, client.stdin, session);
  const output = carryOutput(shim, client, session);
  const ended = shim.detaches && client.stdin ? Promise.race([output, input.then(() => detached)]) : output;
  return await ended.finally(() => shim.connection.destroy());
}

const detached: ExecStatus = { exitCode: 0, signal: 0, timedOut: false };

/** Stdin to its end, which an empty packet says. */
async function carryInput(connection: Socket, stdin: Readable | null, session: Session): Promise<void> {
  if (!stdin) return;
  try {
    for await (const chunk of stdin as AsyncIterable<Buffer>) {
      session.touch();
      await write(connection, encodePacket(PACKET.stdin, chunk));
    }
  } catch {
    // Reset by the client: no more comes.
  }
  await write(connection, encodePacket(PACKET.stdin, Buffer.alloc(0)));
}

function carryResizes(connection: Socket, resize: Readable | null): void {
  const read = resizeReader();
  resize?.on('data', (chunk: Buffer) => {
    for (const size of read(chunk)) {
      if (connection.writable) connection.write(encodePacket(PACKET.resize, Buffer.from(JSON.stringify(size))));
    }
  });
}

async function carryOutput(
  { connection, first }: ShimStream,
  client: Client,
  session: Session,
): Promise<ExecStatus | null> {
  const read = packetReader();
  const pass = async (chunk: Buffer): Promise<ExecStatus | null> => {
    session.touch();
    for (const { kind, body } of read(chunk)) {
      if (kind === PACKET.status) return JSON.parse(body.toString()) as ExecStatus;
      if (kind === PACKET.stdout) await write(client.stdout, body);
      if (kind === PACKET.stderr) await write(client.stderr, body);
    }
    return null;
  };
  const early = await pass(first);
  if (early) return early;
  for await (const chunk of connection as AsyncIterable<Buffer>) {
    const status = await pass(chunk);
    if (status) return status;
  }
  return null;
}
