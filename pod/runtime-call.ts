import type { RunReply } from '../api/engine.ts';
import { whileDoing } from '../api/errors.ts';
import type { OciRuntime } from '../api/shim.ts';
import type { Engine } from '../host/engine.ts';
import { searchPath } from '../host/program.ts';

/** Runs one verb of an OCI runtime (`words` are the verb and what follows) in the engine, where no shim is there to do it. */
export function runRuntime(engine: Engine, runtime: OciRuntime, words: string[], timeoutMs: number): Promise<RunReply> {
  const { path, args, root, systemdCgroup } = runtime;
  const run = engine.call('run', {
    lane: 'runtime',
    path,
    args: [...args, '--root', root, ...(systemdCgroup ? ['--systemd-cgroup'] : []), ...words],
    env: { PATH: searchPath() },
    stdin: '',
    timeoutMs,
  });
  return run.catch((error: unknown) => {
    throw whileDoing(`${path} ${words[0] ?? ''}`, error);
  });
}
