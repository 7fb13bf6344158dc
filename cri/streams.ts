import { RuntimeError } from '../api/errors.ts';
import { checkCommand } from '../pod/container/command.ts';
import { runningContainer } from '../pod/container/exec.ts';
import type { PodContext } from '../pod/context.ts';
import { knownSandbox } from '../pod/sandbox/known.ts';
import type { RuntimeHandlers } from './server.ts';
import type { Wants } from './streaming/ask.ts';
import type { Streaming } from './streaming/http.ts';

/** The rpcs that answer with a URL: what they ask for is done by whoever connects there. */
export function streamHandlers(context: PodContext, streaming: Streaming): RuntimeHandlers {
  return {
    Exec: async (request) => {
      const { id } = runningContainer(context, request.container_id);
      const wants = wanted(`exec in container ${id}`, request);
      checkCommand(`exec in container ${id}`, request.cmd);
      return { url: await streaming.url({ kind: 'exec', containerId: id, command: request.cmd, ...wants }) };
    },
    Attach: async (request) => {
      const { id } = runningContainer(context, request.container_id);
      return {
        url: await streaming.url({ kind: 'attach', containerId: id, ...wanted(`attach to container ${id}`, request) }),
      };
    },
    PortForward: async (request) => {
      const { id, state } = knownSandbox(context, request.pod_sandbox_id);
      if (state !== 'ready') throw new RuntimeError('wrong-state', `port-forward to sandbox ${id}: it is ${state}`);
      const wrong = request.port.find((port) => port < 1 || port > 0xffff);
      if (wrong !== undefined)
        throw new RuntimeError('invalid', `port-forward to sandbox ${id}: there is no port ${wrong}`);
      return { url: await streaming.url({ kind: 'portforward', sandboxId: id, ports: request.port }) };
    },
  };
}

function wanted(doing: string, { stdin, stdout, stderr, tty }: Wants): Wants {
  if (!stdin && !stdout && !stderr)
    throw new RuntimeError('invalid', `${doing}: ask for at least one of stdin, stdout and stderr`);
  if (tty && stderr)
    throw new RuntimeError('invalid', `${doing}: a terminal has no stderr of its own; ask for stdout alone`);
  return { stdin, stdout, stderr, tty };
}
