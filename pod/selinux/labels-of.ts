import { randomInt } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { type ContainerConfig, decode, type Mount, type PodSandboxConfig } from '../../api/cri.ts';
import type { SelinuxLabels } from '../../api/engine.ts';
import type { PodContext } from '../context.ts';
import type { Sandbox } from '../record.ts';
import { askedLabel, isConfined } from '../spec/selinux.ts';
import { freeLevel } from './categories.ts';
import { levelOf, podLabels, withOptions } from './label.ts';
import { refuseUnknownLabel } from './policy.ts';
import { treesToRelabel } from './relabel.ts';

/**
 * Labels for a pod that is about to be made, null where there are none. Its pair of categories is no other pod's and no
 * container's that has a record now; so the record is to be put before anything is waited for. Throws `invalid`.
 */
export function newPodLabels({ host, store }: PodContext, config: PodSandboxConfig): SelinuxLabels | null {
  if (!host.selinux) return null;
  const taken = [...store.sandboxes.all(), ...store.containers.all()].flatMap(({ selinux }) => (selinux ? [levelOf(selinux.mount)] : []));
  return podLabels(host.selinux, askedLabel(config), freeLevel(taken, randomInt));
}

/** Labels of a container of the pod, null where there are none. Throws `invalid` for one that the policy does not know. */
export async function containerLabels(context: PodContext, sandbox: Sandbox, config: ContainerConfig): Promise<SelinuxLabels | null> {
  const policy = context.host.selinux;
  if (!policy || !sandbox.selinux) return null;
  const asked = withOptions(sandbox.selinux, askedLabel(config));
  await refuseUnknownLabels(asked);
  const pod = decode('PodSandboxConfig', sandbox.config);
  return isConfined(pod, config, context.settings.hostNetworkSelinux) ? asked : { ...asked, process: policy.unconfined };
}

/** Throws `invalid` for labels that the loaded policy does not know. */
export async function refuseUnknownLabels({ process, mount }: SelinuxLabels): Promise<void> {
  await refuseUnknownLabel(process);
  await refuseUnknownLabel(mount);
}

/** Where the policy does not let our program run with the label of a pod, the pod's PID 1 keeps the runtime's own: the log says so. */
export async function warnOfUnlabelledPidOne({ log }: PodContext, { id, pausePid, selinux }: Sandbox): Promise<void> {
  if (!selinux?.process || pausePid === 0) return;
  const label = (await readFile(`/proc/${pausePid}/attr/current`, 'utf8').catch(() => '')).replaceAll(/[\0\n]/g, '');
  if (label === selinux.process || label === '') return;
  log.warn("PID 1 of a pod has not the pod's SELinux label: the policy does not let it", { sandbox: id, label, wanted: selinux.process });
}

/**
 * Gives the volumes that ask for it a container's label; nothing where it has none, or where none would keep its
 * processes out. Throws `invalid` for a directory of the system.
 */
export async function relabelMounts({ engine, host }: PodContext, labels: SelinuxLabels | null, mounts: readonly Mount[]): Promise<void> {
  if (!labels || labels.process === host.selinux?.unconfined) return;
  const trees = treesToRelabel(mounts);
  if (trees.length > 0) await engine.call('relabel', { trees, label: labels.mount });
}
