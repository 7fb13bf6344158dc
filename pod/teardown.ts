import { setTimeout as sleep } from 'node:timers/promises';
import { asRuntimeError, RuntimeError } from '../api/errors.ts';
import type { Log } from '../api/observe.ts';

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

/** Longest pause between two tries of an undo, in milliseconds. */
const LONGEST_PAUSE_MS = 60_000;

/** Undoes what could not be made; what fails is logged and tried again in the background until it succeeds. Never rejects. */
export async function undoUntilDone(log: Log, what: string, undo: Step, pauseMs = 1_000): Promise<void> {
  try {
    await undo();
  } catch (error) {
    log.warn(`leftovers of ${what} remain, trying again`, { againInMs: pauseMs, error: asRuntimeError(error).message });
    void sleep(pauseMs, undefined, { ref: false }).then(() =>
      undoUntilDone(log, what, undo, Math.min(pauseMs * 2, LONGEST_PAUSE_MS)),
    );
  }
}

/** How long a failed creation waits for its undo before it is answered, in milliseconds; the undo then goes on alone. */
const UNDO_WAIT_MS = 10_000;

/** Waits for an undo that cannot fail, but not for ever: the name of what failed has to come free. */
export async function undone(undo: Promise<void>): Promise<void> {
  await Promise.race([undo, sleep(UNDO_WAIT_MS, undefined, { ref: false })]);
}
