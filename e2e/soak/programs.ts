import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { DaemonOptions } from '../harness/daemon.ts';
import { textOf } from '../harness/files.ts';

/** Programs that the daemon runs, each killed when asked for. */
export type Frail = {
  readonly options: DaemonOptions;
  /** The next run of `run` (`create`, `bridge.ADD`) is killed that many milliseconds after it began. */
  readonly order: (run: string, afterMs: number) => void;
  /** The runs that were killed so far, of the OCI runtime and of plugins. */
  readonly killed: () => { runtime: number; plugin: number };
};

const plugins = ['bridge', 'host-local', 'portmap', 'loopback'];

/** Runs `$real` as `$verb`; when there is an order for it, kills it so many seconds after it began. */
const killer = `order="$0.$verb"
[ -e "$order" ] && mv "$order" "$order.$$" 2>/dev/null || exec "$real" "$@"
read -r delay < "$order.$$"
rm "$order.$$"
exec 9<&0
"$real" "$@" <&9 9<&- & pid=$!
sleep "$delay"
kill -9 $pid 2>/dev/null && echo "$verb" >> "$0.killed"
wait $pid
`;
const runtime = `#!/bin/sh
real=runc
verb=none
for word; do case $word in create|start|exec|delete|kill) verb=$word; break;; esac; done
${killer}`;
const plugin = `#!/bin/sh
real="/usr/lib/cni/\${0##*/}"
verb=$CNI_COMMAND
${killer}`;

/** Puts scripts of ours before the OCI runtime and the CNI plugins of a daemon with these options. */
export function frailPrograms(...options: readonly string[]): Frail {
  const args = [...options];
  let folder = '';
  const prepare: DaemonOptions['prepare'] = ({ directory }) => {
    folder = join(directory, 'programs');
    mkdirSync(folder);
    writeFileSync(join(folder, 'runtime'), runtime, { mode: 0o755 });
    for (const name of plugins) writeFileSync(join(folder, name), plugin, { mode: 0o755 });
    args.push('--runtime', `frail=${join(folder, 'runtime')}`, '--default-runtime', 'frail', '--cni-plugin-dirs', folder);
  };
  const runs = (name: string): number => textOf(join(folder, `${name}.killed`)).split('\n').length - 1;
  const sum = (names: readonly string[]): number => names.reduce((total, name) => total + Math.max(0, runs(name)), 0);
  return {
    options: { args, prepare },
    order: (run, afterMs) => {
      const path = join(folder, run.includes('.') ? run : `runtime.${run}`);
      writeFileSync(`${path}.new`, `${(afterMs / 1000).toFixed(3)}\n`);
      renameSync(`${path}.new`, path);
    },
    killed: () => ({ runtime: sum(['runtime']), plugin: sum(plugins) }),
  };
}
