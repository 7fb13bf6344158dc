import { randomBytes } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { copyFile, lstat, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, isAbsolute, join, relative } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { decode } from '../../api/cri.ts';
import { RuntimeError, whileDoing } from '../../api/errors.ts';
import { wallClockMs } from '../../host/clock.ts';
import { openBelow } from '../../host/open-below.ts';
import { programPath } from '../../host/program.ts';
import { unlessAborted } from '../../host/unless-aborted.ts';
import type { PodContext } from '../context.ts';
import { containerPaths } from '../paths.ts';
import type { Container } from '../record.ts';
import { runRuntime } from '../runtime-call.ts';
import { refuseWithoutCriu } from './criu.ts';
import { handlerOf } from './plan.ts';
import { knownContainer } from './start.ts';

/** Where to, and how long it may take, in milliseconds; 0 for the longest that a verb may take. */
export type CheckpointAsk = { id: string; location: string; timeoutMs: number };

/**
 * CheckpointContainer: writes a running container's processes and changed files to the archive `location`, in the
 * layout of checkpointctl as CRI-O's; the container goes on. On error nothing is left at `location` that was not there.
 * Throws `not-found`, `wrong-state` unless it runs, and `unsupported`, with the reason, where CRIU cannot work.
 */
export async function checkpointContainer(context: PodContext, ask: CheckpointAsk, signal: AbortSignal): Promise<void> {
  const container = knownContainer(context, ask.id);
  if (!isAbsolute(ask.location)) {
    throw new RuntimeError('invalid', `checkpoint container ${container.id}: the location ${ask.location} is not an absolute path`);
  }
  await unlessAborted(context.turns.run(container.id, () => checkpointInTurn(context, { ...ask, id: container.id })), signal);
}

async function checkpointInTurn(context: PodContext, { id, location, timeoutMs }: CheckpointAsk): Promise<void> {
  const container = knownContainer(context, id);
  if (container.state !== 'running') {
    throw new RuntimeError('wrong-state', `container ${id} is ${container.state}: only a running one can be checkpointed`);
  }
  const directory = `${containerPaths(context.roots, id).writable}/checkpoint-${randomBytes(4).toString('hex')}`;
  const partial = `${location}.${randomBytes(4).toString('hex')}.partial`;
  try {
    await refuseWithoutCriu(context.engine);
    await mkdir(`${directory}/checkpoint`, { recursive: true, mode: 0o700 });
    await dump(context, container, directory, timeoutMs || context.settings.runtimeTimeout);
    await describe(context, container, directory);
    await archive(context, partial, ['-C', directory, '.']);
    await rename(partial, location);
  } catch (error) {
    throw whileDoing(`checkpoint container ${container.name} (${id})`, error);
  } finally {
    await rm(directory, { recursive: true, force: true });
    await rm(partial, { force: true });
  }
}

/** The processes, by way of the OCI runtime and CRIU, whose own log stays in the archive. */
async function dump(context: PodContext, container: Container, directory: string, timeoutMs: number): Promise<void> {
  const { runtime } = handlerOf(context, container);
  const words = ['checkpoint', '--leave-running', '--image-path', `${directory}/checkpoint`, '--work-path', directory, container.id];
  const { exitCode, stderr } = await runRuntime(context.engine, runtime, words, timeoutMs);
  if (exitCode === 0) return;
  const log = await readFile(`${directory}/dump.log`, 'utf8').catch(() => '');
  const errors = log.split('\n').filter((line) => line.includes('Error')).slice(-3).join('; ');
  throw new RuntimeError('internal', `${runtime.path} checkpoint: exit code ${exitCode}: ${[stderr.trim().slice(-500), errors].filter(Boolean).join('; ')}`);
}

/** What a restore has to know besides the processes, under the names of checkpointctl. */
async function describe(context: PodContext, container: Container, directory: string): Promise<void> {
  const paths = containerPaths(context.roots, container.id);
  const config = decode('ContainerConfig', container.config);
  const time = (ns: string | number): string => new Date(typeof ns === 'number' ? ns : Number(BigInt(ns) / 1_000_000n)).toISOString();
  const deleted: string[] = [];
  await whiteouts(paths.upper, '', deleted);
  const write = (name: string, value: unknown): Promise<void> => writeFile(join(directory, name), JSON.stringify(value), { mode: 0o600 });
  await write('config.dump', {
    id: container.id,
    name: container.name,
    rootfsImage: config.image?.image,
    rootfsImageRef: container.imageRef,
    rootfsImageName: config.image?.user_specified_image || config.image?.image,
    runtime: container.handler || context.runtimes.defaultName,
    createdTime: time(container.createdAtNs),
    checkpointedTime: time(wallClockMs()),
    restored: false,
  });
  await copyFile(`${paths.bundle}/config.json`, join(directory, 'spec.dump'));
  await write('deleted.files', deleted);
  await writeFile(join(directory, 'whiteouts'), deleted.map((path) => `./${path}\n`).join(''));
  await archive(context, join(directory, 'rootfs-diff.tar'), ['--no-wildcards', '-X', join(directory, 'whiteouts'), '-C', paths.upper, '.']);
  await rm(join(directory, 'whiteouts'));
  await copyLog(context, container, join(directory, 'container.log')).catch((error: unknown) =>
    context.log.warn('a checkpoint lacks the log of its container', { container: container.id, error: String(error) }),
  );
}

/** A pod may have reached the folder of its logs by a volume: no link below it is followed. */
async function copyLog({ store }: PodContext, { logPath, sandboxId }: Container, target: string): Promise<void> {
  if (logPath === '') return;
  const folder = store.sandboxes.get(sandboxId)?.logDirectory || dirname(logPath);
  const log = await openBelow(folder, relative(folder, logPath));
  await pipeline(log.createReadStream(), createWriteStream(target, { mode: 0o600 }));
}

/** Paths below `top` that the overlay says are deleted: character devices 0:0. */
async function whiteouts(top: string, below: string, found: string[]): Promise<void> {
  for (const entry of await readdir(join(top, below), { withFileTypes: true })) {
    const path = join(below, entry.name);
    if (entry.isDirectory()) await whiteouts(top, path, found);
    else if (entry.isCharacterDevice() && (await lstat(join(top, path))).rdev === 0) found.push(path);
  }
}

/** A tar archive at `path` of what `words` name (tar(1)). */
async function archive(context: PodContext, path: string, words: string[]): Promise<void> {
  const tar = programPath('tar');
  if (tar === undefined) throw new RuntimeError('unsupported', 'tar is not installed');
  const args = ['--xattrs', '-cf', path, ...words];
  const { exitCode, stderr } = await context.engine.call('run', {
    lane: 'runtime', path: tar, args, env: {}, stdin: '', timeoutMs: context.settings.runtimeTimeout,
  });
  if (exitCode !== 0) throw new RuntimeError('internal', `${tar} ${args.join(' ')}: exit code ${exitCode}: ${stderr.trim().slice(-500)}`);
}
