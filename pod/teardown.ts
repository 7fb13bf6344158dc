import { asRuntimeError, RuntimeError } from '../api/errors.ts';

/** Runs every step in order, also after one failed; then throws one error that names all failures. */
export async function finishAll(what: string, steps: (() => Promise<unknown>)[]): Promise<void> {
  const errors: RuntimeError[] = [];
  for (const step of steps) {
    try {
      await step();
    } catch (error) {
      errors.push(asRuntimeError(error));
    }
  }
  const [first] = errors;
  if (first) throw new RuntimeError(first.kind, `${what}: ${errors.map((error) => error.message).join('; ')}`, first);
}
