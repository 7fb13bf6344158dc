import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { RuntimeError } from '../../api/errors.ts';
import { type ExecStatus, PACKET } from '../../api/shim.ts';
import { orIfMissing } from '../../host/files.ts';
import type { PodContext } from '../context.ts';
import { containerPaths, podPaths } from '../paths.ts';
import { type Container, exitReason } from '../record.ts';
import { openStream } from '../shim/client.ts';
import { packetReader } from '../shim/packets.ts';
import type { OciSpec } from '../spec/oci.ts';
import { execProcess } from '../spec/process.ts';
import { checkCommand } from './command.ts';
import { knownContainer } from './start.ts';

/**
 * Most that ExecSync keeps of both streams together, in bytes; the rest is read and thrown away (CRI ExecSyncResponse:
 * 16 MiB). A little less than that, because the kubelet refuses a reply of more than 16 MiB with all its framing.
 */
export const EXEC_SYNC_CAP_BYTES = (16 << 20) - 1024;

export type ExecResult = { stdout: Buffer; stderr: Buffer; exitCode: number };

/**
 * ExecSync: runs `command` in a running container to its end. A non-zero exit code is a result. `timeoutMs` of 0 is none;
 * when it passes, all processes of the exec are dead and it throws `timeout`. Aborting `signal` kills it too.
 * Throws `not-found` also for a container that does not run.
 */
export async function execSync(
  context: PodContext,
  ask: { containerId: string; command: string[]; timeoutMs: number },
  signal: AbortSignal,
): Promise<ExecResult> {
  const container = runningContainer(context, ask.containerId);
  const process = await commandProcess(context, container, { args: ask.command, tty: false });
  const { connection, first } = await openStream(podPaths(context.roots, container.sandboxId).socket, 'exec', {
    container: container.id, exec: randomBytes(6).toString('hex'), process, tty: false, stdin: false, timeoutMs: ask.timeoutMs,
  }, signal);
  const abort = (): void => void connection.destroy();
  signal.addEventListener('abort', abort, { once: true });
  try {
    const { stdout, stderr, status } = await collect(connection, first);
    if (signal.aborted) throw signal.reason;
    if (!status) throw new RuntimeError('unavailable', `exec in container ${container.id}: the shim ended before the command did`);
    if (status.timedOut) {
      throw new RuntimeError('timeout', `exec in container ${container.id}: command timed out after ${ask.timeoutMs} ms and was killed`);
    }
    return { stdout, stderr, exitCode: status.exitCode };
  } finally {
    signal.removeEventListener('abort', abort);
    connection.destroy();
  }
}

/** The container, if a command can be run in it. Throws `not-found` else, as CRI-O does. */
export function runningContainer(context: PodContext, id: string): Container {
  const container = knownContainer(context, id);
  if (container.state === 'running') return container;
  const ended = container.exit ? `${container.state} (${exitReason(container.exit)}, code ${container.exit.exitCode})` : container.state;
  throw new RuntimeError('not-found', `container ${container.id} is ${ended}: only a running one can execute commands`);
}

/** The process of an exec: the container's own, with another command and perhaps a terminal. Throws as `checkCommand`. */
export async function commandProcess(
  context: PodContext,
  container: Container,
  command: { args: string[]; tty: boolean },
): Promise<Record<string, unknown>> {
  checkCommand(`exec in container ${container.id}`, command.args);
  const { bundle } = containerPaths(context.roots, container.id);
  const text = await orIfMissing(readFile(`${bundle}/config.json`, 'utf8'), undefined);
  if (text === undefined) throw new RuntimeError('wrong-state', `nothing can be run in container ${container.id}, its bundle ${bundle} is gone: make its pod anew`);
  const spec = JSON.parse(text) as OciSpec;
  return { ...execProcess(spec.process, command) };
}

type Collected = { stdout: Buffer; stderr: Buffer; status: ExecStatus | null };

/** Reads packets to the end of the connection, keeping at most the cap. */
async function collect(connection: AsyncIterable<Buffer>, first: Buffer): Promise<Collected> {
  const read = packetReader();
  const streams = { [PACKET.stdout]: cappedBytes(), [PACKET.stderr]: cappedBytes() };
  let status: ExecStatus | null = null;
  const take = (chunk: Buffer): void => {
    for (const { kind, body } of read(chunk)) {
      if (kind === PACKET.status) status = JSON.parse(body.toString()) as ExecStatus;
      else if (kind === PACKET.stdout || kind === PACKET.stderr) streams[kind].add(body);
    }
  };
  take(first);
  if (!status) for await (const chunk of connection) {
    take(chunk);
    if (status) break;
  }
  return { ...withinCap(streams[PACKET.stdout].bytes(), streams[PACKET.stderr].bytes()), status };
}

/** Both streams cut so that they fit together; neither takes the other's half while that needs it. */
export function withinCap(stdout: Buffer, stderr: Buffer, capBytes = EXEC_SYNC_CAP_BYTES): { stdout: Buffer; stderr: Buffer } {
  const half = Math.floor(capBytes / 2);
  const errors = Math.min(stderr.length, Math.max(half, capBytes - stdout.length));
  return { stdout: stdout.subarray(0, capBytes - errors), stderr: stderr.subarray(0, errors) };
}

function cappedBytes(): { add(chunk: Buffer): void; bytes(): Buffer } {
  const chunks: Buffer[] = [];
  let size = 0;
  return {
    add(chunk) {
      const kept = chunk.subarray(0, EXEC_SYNC_CAP_BYTES - size);
      if (kept.length === 0) return;
      chunks.push(Buffer.from(kept));
      size += kept.length;
    },
    bytes: () => Buffer.concat(chunks),
  };
}
