import { readFileSync, statSync } from 'node:fs';
import { asRuntimeError } from '../api/errors.ts';
import type { OciRuntime } from '../api/shim.ts';
import { replaceFile } from '../host/files.ts';
import type { RuntimeFeatures } from './runtime-features.ts';

/** What an OCI runtime has shown. */
export type Proof = { works?: true; features?: RuntimeFeatures };

/** What OCI runtimes have shown since the machine was started, so that a restart of the daemon need not run them again. */
export type Proofs = {
  of(runtime: OciRuntime): Proof;
  /** One that cannot be written, because the state directory is full, is not known to the next daemon. */
  add(runtime: OciRuntime, proof: Proof): void;
};

/**
 * Proofs kept in the file at `path`; one that cannot be read proves nothing. They hold for the boot and for the very
 * files that gave them: a runtime or a native binary that was replaced, other arguments, another cgroup driver, is another.
 */
export function openProofs(path: string, { bootId, native }: { bootId: string; native: string }): Proofs {
  const kept = new Map(Object.entries(readProofs(path)));
  const key = ({ path: program, args, root, systemdCgroup }: OciRuntime): string =>
    JSON.stringify([bootId, identity(native), identity(program), args, root, systemdCgroup]);
  return {
    of: (runtime) => kept.get(key(runtime)) ?? {},
    add(runtime, proof) {
      const all = { ...kept.get(key(runtime)), ...proof };
      kept.set(key(runtime), all);
      try {
        replaceFile(path, JSON.stringify(Object.fromEntries(kept)));
      } catch (error) {
        if (asRuntimeError(error).kind !== 'exhausted') throw error;
      }
    },
  };
}

function readProofs(path: string): Record<string, Proof> {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Record<string, Proof>;
  } catch {
    return {};
  }
}

/** What changes with the file at `path`, or with what a link there leads to. */
function identity(path: string): string {
  const found = statSync(path, { bigint: true, throwIfNoEntry: false });
  return found ? [path, found.dev, found.ino, found.size, found.ctimeNs].join(' ') : `${path} missing`;
}
