import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { DaemonOptions } from './daemon.ts';

/** A handler whose OCI runtime is a shell script. */
export type ScriptedRuntime = {
  /** For a daemon that has the handler. */
  readonly options: DaemonOptions;
  /** Where the script lies once such a daemon is being started. */
  readonly path: () => string;
};

/** Describes the handler `name` whose runtime does what `script` says, for a daemon with more `options`; the script lies in the daemon's directory. */
export function scriptedRuntime(name: string, script: string, options: readonly string[] = []): ScriptedRuntime {
  const args: string[] = [...options];
  let path = '';
  const prepare: DaemonOptions['prepare'] = ({ directory }) => {
    path = join(directory, name);
    writeFileSync(path, script, { mode: 0o755 });
    args.push('--runtime', `${name}=${path}`);
  };
  return { options: { args, prepare }, path: () => path };
}
