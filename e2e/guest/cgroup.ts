import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Daemon } from '../harness/daemon.ts';

/** Whether the stories are run with the systemd cgroup driver. */
export const systemd = process.env['BERTH_E2E_CGROUP_DRIVER'] === 'systemd';

/** The directory of a process' cgroup, version 2. */
export function cgroupOf(pid: number): string {
  const [, path = ''] = /^0::(.*)$/m.exec(readFileSync(`/proc/${pid}/cgroup`, 'utf8')) ?? [];
  return join('/sys/fs/cgroup', path);
}

/** The pid of a container's first process, out of the verbose status. */
export async function pidOf(daemon: Daemon, container_id: string): Promise<number> {
  const { info } = await daemon.cri.call('ContainerStatus', { container_id, verbose: true });
  return (JSON.parse(info['info'] ?? '{}') as { pid: number }).pid;
}

/** The directory of a container's cgroup: the one with its id, also where the runtime has divided it. */
export async function containerCgroup(daemon: Daemon, id: string): Promise<string> {
  const parts = cgroupOf(await pidOf(daemon, id)).split('/');
  return parts.slice(0, parts.findIndex((part) => part.includes(id)) + 1).join('/');
}

/** A file of a cgroup, without the last newline. */
export function read(cgroup: string, file: string): string {
  return readFileSync(join(cgroup, file), 'utf8').trimEnd();
}
