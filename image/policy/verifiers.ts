import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { asRuntimeError, RuntimeError } from '../../api/errors.ts';
import type { Engine } from '../../host/engine.ts';
import { orIfMissing } from '../../host/files.ts';
import { searchPath } from '../../host/program.ts';

/** Programs that must all agree to an image, and how long each may think, in milliseconds. */
export type VerifiersOptions = { engine: Engine; directory: string; timeoutMs: number };
/** What they are asked about: the name as pulled, and what it points at. */
export type VerifiersAsk = { name: string; descriptor: { mediaType: string; digest: string; size: number } };

const descriptorType = 'application/vnd.oci.descriptor.v1+json';

/**
 * Runs every program of the directory one after the other as containerd does its image verifiers: `-name`, `-digest`,
 * `-stdin-media-type`, the descriptor on stdin; exit status 0 agrees. Throws `signature` naming the first that does not,
 * cannot be run or takes too long. Without a directory there is nobody to ask.
 */
export async function askVerifiers(ask: VerifiersAsk, { engine, directory, timeoutMs }: VerifiersOptions): Promise<void> {
  const names = directory === '' ? [] : (await orIfMissing(readdir(directory), [])).sort();
  for (const name of names) {
    const why = await objection(ask, { engine, path: join(directory, name), timeoutMs });
    if (why !== undefined) throw new RuntimeError('signature', `image verifier ${name} does not agree to ${ask.name}@${ask.descriptor.digest}: ${why}`);
  }
}

async function objection(
  { name, descriptor }: VerifiersAsk,
  { engine, path, timeoutMs }: { engine: Engine; path: string; timeoutMs: number },
): Promise<string | undefined> {
  try {
    const { exitCode, signal, stdout, stderr } = await engine.call('run', {
      lane: 'runtime',
      path,
      args: ['-name', name, '-digest', descriptor.digest, '-stdin-media-type', descriptorType],
      env: { PATH: searchPath() },
      stdin: JSON.stringify(descriptor),
      timeoutMs,
    });
    if (exitCode === 0 && signal === 0) return undefined;
    const ended = signal === 0 ? `status ${exitCode}` : `signal ${signal}`;
    return `${ended}: ${(stdout.trim() || stderr.trim() || 'it said nothing').slice(0, 1000)}`;
  } catch (error) {
    return asRuntimeError(error).message;
  }
}
