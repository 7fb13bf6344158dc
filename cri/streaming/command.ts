import { randomBytes } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { decode } from '../../api/cri.ts';
import { asRuntimeError } from '../../api/errors.ts';
import type { PodContext } from '../../pod/context.ts';
import { commandProcess, runningContainer } from '../../pod/container/exec.ts';
import { podPaths } from '../../pod/paths.ts';
import { openStream } from '../../pod/shim/client.ts';
import type { StreamAsk } from './ask.ts';
import { carry, type ShimStream } from './carry.ts';
import { errorText, type Outcome, outcomeOf } from './channels.ts';
import { type Client, finish } from './client.ts';
import type { Session } from './session.ts';
import { spdyClient } from './spdy-client.ts';
import type { Upgrade } from './upgrade.ts';
import { webSocketClient } from './websocket-client.ts';

type CommandAsk = Exclude<StreamAsk, { kind: 'portforward' }>;

/** An upgraded connection. */
export type Upgraded = Extract<Upgrade, { transport: string }> & { socket: Duplex };

/** Serves an exec or attach to its end: the client's streams, the shim's, and what became of it. */
export async function serveCommand(
  context: PodContext,
  ask: CommandAsk,
  upgraded: Upgraded,
  session: Session,
): Promise<void> {
  const { transport, protocol, socket } = upgraded;
  const client =
    transport === 'spdy' ? await spdyClient(socket, protocol, ask) : webSocketClient(socket, protocol, ask);
  session.onBeat(client.ping);
  const outcome = await run(context, ask, client, session);
  await finish(client, errorText(outcome, protocol));
}

async function run(context: PodContext, ask: CommandAsk, client: Client, session: Session): Promise<Outcome> {
  try {
    const shim = ask.kind === 'exec' ? await startExec(context, ask) : await startAttach(context, ask);
    session.own(shim.connection);
    return outcomeOf(ask.kind, await carry(shim, client, session));
  } catch (error) {
    const { message } = asRuntimeError(session.signal.aborted ? session.signal.reason : error);
    return outcomeOf(ask.kind, { exitCode: 1, signal: 0, timedOut: false, message });
  }
}

async function startExec(context: PodContext, ask: CommandAsk & { kind: 'exec' }): Promise<ShimStream> {
  const container = runningContainer(context, ask.containerId);
  // The shim adds `terminal` itself.
  const { terminal: _, ...process } = await commandProcess(context, container, { args: ask.command, tty: ask.tty });
  const opened = await openStream(podPaths(context.roots, container.sandboxId).socket, 'exec', {
    container: container.id,
    exec: randomBytes(6).toString('hex'),
    process,
    tty: ask.tty,
    stdin: ask.stdin,
    timeoutMs: 0,
  });
  return { ...opened, detaches: false };
}

/** The end of its stdin detaches a client, unless that end is the container's too (CRI ContainerConfig.stdin_once). */
async function startAttach(context: PodContext, ask: CommandAsk & { kind: 'attach' }): Promise<ShimStream> {
  const container = runningContainer(context, ask.containerId);
  const { stdin, stdout, stderr } = ask;
  const wanted = { container: container.id, stdin, stdout, stderr };
  const opened = await openStream(podPaths(context.roots, container.sandboxId).socket, 'attach', wanted);
  const { stdin_once, tty } = decode('ContainerConfig', container.config);
  return { ...opened, detaches: tty || !stdin_once };
}
