import { constants, open, readFile } from 'node:fs/promises';
import { RuntimeError } from '../../api/errors.ts';
import type { Log } from '../../api/observe.ts';
import type { SelinuxPolicy } from './label.ts';
import { contextsFile, labelsIn, UNCONFINED_TYPE } from './contexts.ts';
import { withOptions } from './label.ts';

/** Where a label is written that the kernel is asked about (selinuxfs). */
const CONTEXT = '/sys/fs/selinux/context';

/** What the loaded policy says of containers; null where SELinux is off, or, as the log then says, it knows no containers. */
export async function loadedPolicy(log: Log): Promise<SelinuxPolicy | null> {
  const off = await text('/sys/fs/selinux/enforce') === '';
  if (off) return null;
  const labels = labelsIn(await text(contextsFile(await text('/etc/selinux/config'))));
  const obstacle = (await obstacleTo(labels.process)) || (await obstacleTo(labels.file));
  if (obstacle !== '') {
    log.warn('containers get no SELinux labels: the loaded policy does not know them', { ...labels, because: obstacle });
    return null;
  }
  const unconfined = withOptions({ process: labels.process, mount: '' }, { user: '', role: '', type: UNCONFINED_TYPE, level: '' }).process;
  const policy = { ...labels, unconfined: (await obstacleTo(unconfined)) === '' ? unconfined : '' };
  log.info('containers get SELinux labels', policy);
  return policy;
}

/** Throws `invalid` for a label that the loaded policy does not know. */
export async function refuseUnknownLabel(label: string): Promise<void> {
  const obstacle = await obstacleTo(label);
  if (obstacle !== '') throw new RuntimeError('invalid', `SELinux label ${label} is not valid in the loaded policy (${obstacle})`);
}

/** Why the kernel does not take that label; empty when it does. */
async function obstacleTo(label: string): Promise<string> {
  try {
    const file = await open(CONTEXT, constants.O_RDWR);
    await file.write(label).finally(() => file.close());
    return '';
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error);
  }
}

const text = async (path: string): Promise<string> => readFile(path, 'utf8').catch(() => '');
