import { renameSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { nativeProgram } from '../../cri/options-native.ts';
import { connectShim } from '../../pod/shim/client.ts';
import type { Daemon, DaemonOptions } from './daemon.ts';
import { linkOf } from './files.ts';
import type { Pod } from './pod.ts';

/** Two builds of the native binary that take turns at one path, as releases do: one is the other with a byte more. */
export type Builds = {
  /** For a daemon that uses the path. */
  readonly options: DaemonOptions;
  readonly path: () => string;
  /** Puts the other build in the place of the one that is there; what executes that goes on. */
  readonly swap: () => void;
};

export function twoBuilds(): Builds {
  const program = readFileSync(nativeProgram());
  const args: string[] = [];
  let path = '';
  let longer = true;
  const swap = (): void => {
    longer = !longer;
    writeFileSync(`${path}.new`, longer ? Buffer.concat([program, Buffer.alloc(1)]) : program, { mode: 0o755 });
    renameSync(`${path}.new`, path);
  };
  const prepare: DaemonOptions['prepare'] = ({ directory }) => {
    path = join(directory, 'berth-native');
    swap();
    args.push('--native', path);
  };
  return { options: { args, prepare }, path: () => path, swap };
}

/** Whether a shim executes what lies at the path now. */
export function isCurrent(shim: number, { path }: Builds): boolean {
  return linkOf(`/proc/${shim}/exe`) === path();
}

/** Asks the pod's shim to become what lies at the path, as a berthd does after its start. */
export async function upgradeShim(daemon: Daemon, pod: Pod, { path }: Builds): Promise<void> {
  const news = { onExit: () => undefined, onLogLost: () => undefined, onGone: () => undefined };
  const shim = await connectShim(join(daemon.state, 's', pod.id.slice(0, 16)), -1, news);
  try {
    await shim.call('upgrade', { path: path(), timeoutMs: 60_000 });
  } finally {
    shim.close();
  }
}
