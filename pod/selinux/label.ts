import type { SELinuxOption } from '../../api/cri.ts';
import type { SelinuxLabels } from '../../api/engine.ts';
import { RuntimeError } from '../../api/errors.ts';

/** A security context, USER:ROLE:TYPE:LEVEL; the level may have colons itself. */
type Label = SELinuxOption;

/** What the policy that the kernel has loaded says of containers: labels without categories (lxc_contexts). */
export type SelinuxPolicy = {
  process: string;
  file: string;
  /** Of processes that nothing is kept from; empty where the policy has no such type: they run as the runtime does. */
  unconfined: string;
};

/** The labels of a pod: as it asks, for the rest as the policy says, with `level` when it asks for none. Throws `invalid`. */
export function podLabels(policy: SelinuxPolicy, options: SELinuxOption | null, level: string): SelinuxLabels {
  const plain = { process: policy.process, mount: policy.file };
  return withOptions(withOptions(plain, { user: '', role: '', type: '', level }), options);
}

/** The labels with the parts that are asked for; what is mounted takes user and level from it. Throws `invalid`. */
export function withOptions(labels: SelinuxLabels, options: SELinuxOption | null): SelinuxLabels {
  if (!options) return labels;
  for (const [part, text] of Object.entries(options)) refuseForeign(part, text);
  return {
    process: replaced(labels.process, options),
    mount: replaced(labels.mount, { ...options, role: '', type: '' }),
  };
}

/** The level of a label, e.g. `s0:c1,c2`. */
export function levelOf(label: string): string {
  return parsed(label).level;
}

function replaced(label: string, by: Label): string {
  const now = parsed(label);
  return [by.user || now.user, by.role || now.role, by.type || now.type, by.level || now.level].join(':');
}

function parsed(label: string): Label {
  const [user = '', role = '', type = '', ...level] = label.split(':');
  return { user, role, type, level: level.join(':') };
}

/** A part may not bring others along, nor end the mount option that it becomes a part of. */
function refuseForeign(part: string, text: string): void {
  if (part === 'level' ? /^[\w:,.-]*$/.test(text) : /^[\w.-]*$/.test(text)) return;
  throw new RuntimeError('invalid', `SELinux ${part} ${JSON.stringify(text)} is none`);
}
