import { asRuntimeError } from '../../api/errors.ts';
import type { PodContext } from '../../pod/context.ts';
import type { StreamAsk } from './ask.ts';
import { serveCommand, type Upgraded } from './command.ts';
import { servePortForward } from './port-forward.ts';
import type { Session } from './session.ts';

/** How long a client may take to close its side after ours; closing at once could cost it the last bytes. */
const LINGER_MS = 10_000;

/** Serves an upgraded connection until its session ends. */
export async function serveStream(
  context: PodContext,
  ask: StreamAsk,
  upgraded: Upgraded,
  session: Session,
): Promise<void> {
  try {
    if (ask.kind === 'portforward') await servePortForward(context, ask, upgraded, session);
    else await serveCommand(context, ask, upgraded, session);
    session.onBeat(() => undefined);
    upgraded.socket.resume();
    const timer = setTimeout(() => session.end('the client did not close its side'), LINGER_MS).unref();
    await session.closed;
    clearTimeout(timer);
  } catch (error) {
    session.end(asRuntimeError(error).message);
  }
}
