import type { CheckReply, CheckRequest } from '../api/control.ts';
import type { Draft } from '../api/cri.ts';
import { RuntimeError } from '../api/errors.ts';
import type { Checked } from '../api/problem.ts';
import { checkState } from '../pod/check/check.ts';
import type { PodContext } from '../pod/context.ts';
import type { ControlHandlers } from './server.ts';

/** The rpc that verifies what this daemon keeps; one at a time (`in-use`). */
export function checkControl(context: PodContext, takenUp: (sandboxId: string) => Promise<void>): Required<Pick<ControlHandlers, 'Check'>> {
  let runs = false;
  return {
    Check: async function* (ask, { signal }) {
      if (runs) throw new RuntimeError('in-use', 'another check runs: wait for its end');
      runs = true;
      try {
        // What is not met yet is not missing.
        await Promise.all([...context.store.sandboxes.all()].map(({ id }) => takenUp(id)));
        yield* checkReplies(context, ask, signal);
      } finally {
        runs = false;
      }
    },
  };
}

/** Every problem as it is found, then how much was looked at. */
export async function* checkReplies(context: PodContext, ask: CheckRequest, signal: AbortSignal): AsyncGenerator<Draft<CheckReply>> {
  const { images, store, log } = context;
  const unverified = new Set<string>();
  for await (const problem of images.check({ ...ask, signal, unverified: (diffId) => void unverified.add(diffId) })) yield { problem: told(problem) };
  for await (const problem of checkState(context, ask)) yield { problem: told(problem) };
  const layers = new Set(images.list().flatMap((image) => image.layers)).size;
  const counts = { images: images.list().length, layers, unverified: unverified.size, pods: [...store.sandboxes.all()].length, containers: [...store.containers.all()].length };
  yield { counts };

  function told(checked: Checked): Checked {
    const { kind, id, path, what, repair } = checked;
    if (checked.repaired) log.warn('repaired by a check', { kind, id, path, what, repair });
    return checked;
  }
}
