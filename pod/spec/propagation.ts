/** True when the mount that `path` lies on shares what is mounted below it with its peers (mount_namespaces(7)). */
export function isShared(mountinfo: string, path: string): boolean {
  return tagsOf(mountinfo, path).some((tag) => tag.startsWith('shared:'));
}

/** True when the mount that `path` lies on gets what its peers or its master mount. */
export function isSlaveOrShared(mountinfo: string, path: string): boolean {
  return tagsOf(mountinfo, path).some((tag) => tag.startsWith('shared:') || tag.startsWith('master:'));
}

/**
 * Optional fields of the mount with the longest mount point above `path`; of equals the last, for it covers the
 * others.
 */
function tagsOf(mountinfo: string, path: string): string[] {
  let best = { length: -1, tags: [] as string[] };
  for (const line of mountinfo.split('\n')) {
    const fields = (line.split(' - ')[0] ?? '').split(' ');
    const point = unescaped(fields[4] ?? '');
    const above = point === '/' || path === point || path.startsWith(`${point}/`);
    if (point !== '' && above && point.length >= best.length) best = { length: point.length, tags: fields.slice(6) };
  }
  return best.tags;
}

/** Blanks and backslashes are written as octal numbers there (proc_pid_mountinfo(5)). */
function unescaped(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}
