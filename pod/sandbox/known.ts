import { RuntimeError } from '../../api/errors.ts';
import type { PodContext } from '../context.ts';
import type { Sandbox } from '../record.ts';

/** The sandbox with that id or id prefix; one half made is none. Throws `not-found`. */
export function knownSandbox(context: PodContext, id: string): Sandbox {
  const sandbox = context.store.sandboxes.find(id);
  if (!sandbox || sandbox.state === 'creating') throw new RuntimeError('not-found', `no sandbox ${id}`);
  return sandbox;
}
