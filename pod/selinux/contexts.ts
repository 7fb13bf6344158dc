/** Type of processes that SELinux keeps nothing from, in every policy that knows containers. */
export const UNCONFINED_TYPE = 'spc_t';

/** Where the policy that /etc/selinux/config (its text) names keeps the labels of containers. */
export function contextsFile(config: string): string {
  const [, name = 'targeted'] = /^\s*SELINUXTYPE\s*=\s*([\w.-]+)/m.exec(config) ?? [];
  return `/etc/selinux/${name}/contexts/lxc_contexts`;
}

/** Labels of container processes and files out of such a file (lxc_contexts(5)), for each that is missing the usual one. */
export function labelsIn(contexts: string): { process: string; file: string } {
  const value = (key: string): string | undefined => new RegExp(`^\\s*${key}\\s*=\\s*"([^"]+)"`, 'm').exec(contexts)?.[1];
  return {
    process: value('process') ?? 'system_u:system_r:container_t:s0',
    file: value('file') ?? 'system_u:object_r:container_file_t:s0',
  };
}
