import { setTimeout as sleep } from 'node:timers/promises';
import { asRuntimeError, RuntimeError } from '../api/errors.ts';

type Step = () => Promise<unknown>;

/** Runs every step in order, also after one failed; then throws one error that names all failures. */
export async function finishAll(what: string, steps: Step[]): Promise<void> {
  const errors: unknown[] = [];
  for (const step of steps) {
    try {
      await step();
    } catch (error) {
      errors.push(error);
    }
  }
  report(what, errors);
}

/** Runs all steps side by side and waits for the end of each; then throws one error that names all failures. */
export async function finishSideBySide(what: string, steps: Step[]): Promise<void> {
  const results = await Promise.allSettled(steps.map((step) => step()));
  report(what, results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : [])));
}

function report(what: string, failures: unknown[]): void {
  const errors = failures.map(asRuntimeError);
  const [first] = errors;
  if (first) throw new RuntimeError(first.kind, `${what}: ${errors.map((error) => error.message).join('; ')}`, first);
}

/** How long a failed creation waits for its undo before it is answered, in milliseconds; the undo then goes on alone. */
const UNDO_WAIT_MS = 10_000;

/** Waits for an undo that cannot fail, but not for ever: the name of what failed has to come free. */
export async function undone(undo: Promise<void>): Promise<void> {
  await Promise.race([undo, sleep(UNDO_WAIT_MS, undefined, { ref: false })]);
}
