import { mkdirSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { RuntimeError } from '../../api/errors.ts';
import { http } from '../../api/http.ts';
import type { PodContext } from '../../pod/context.ts';
import { reply } from '../../observe/http.ts';
import { claimSocket } from '../socket.ts';
import { containerPage, emptyLayer, infoPage, sandboxPage } from './pages.ts';

/**
 * Serves the two pages by which cAdvisor, a part of the kubelet, learns whose cgroup is whose: it knows CRI-O's socket
 * and no other runtime's but containerd's. Errors: those of `claimSocket`, and `unavailable`.
 */
export async function serveCadvisor(context: PodContext, path: string): Promise<{ close(): Promise<void> }> {
  mkdirSync(`${emptyLayer(context.roots)}/diff`, { recursive: true, mode: 0o700 });
  const server = http.createServer({ maxHeaderSize: 8192, headersTimeout: 5000, requestTimeout: 10_000, keepAliveTimeout: 60_000 });
  server.maxConnections = 64;
  server.on('request', (request, response) => answer(context, request, response));
  const socket = await claimSocket(path);
  try {
    await new Promise<void>((settle, fail) => {
      // Also for later ones, which would end the daemon if nobody listened.
      server.on('error', (error) => fail(new RuntimeError('unavailable', `cannot serve ${path}: ${error.message}`, error)));
      server.listen(socket.at, settle);
    });
    socket.publish();
  } catch (error) {
    server.close();
    socket.withdraw();
    throw error;
  }
  return {
    close: async () => {
      server.closeAllConnections();
      await new Promise((settle) => server.close(settle));
      socket.withdraw();
    },
  };
}

function answer(context: PodContext, request: IncomingMessage, response: ServerResponse): void {
  const path = request.url?.split('?')[0] ?? '';
  const id = /^\/containers\/([0-9a-f]{1,64})$/.exec(path)?.[1] ?? '';
  const found = path === '/info' ? infoPage(context.roots, context.cgroup.driver) : objectPage(context, id);
  if (request.method !== 'GET') reply(response, 405, 'only GET\n');
  else if (found === undefined) reply(response, 404, `nothing is known of ${path}\n`);
  else reply(response, 200, found, 'application/json');
}

/** Also of what is just being made: cAdvisor asks once, as soon as a cgroup appears. */
function objectPage({ store, roots }: PodContext, id: string): string | undefined {
  const container = store.containers.get(id);
  if (container) return containerPage(roots, container, store.sandboxes.get(container.sandboxId));
  const sandbox = store.sandboxes.get(id);
  return sandbox && sandboxPage(roots, sandbox);
}
