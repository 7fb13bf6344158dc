import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { tool } from '../harness/tools.ts';

/** Another OCI runtime to run the suite with: its configuration, which specs, if not all, and those it cannot pass. */
export type Handler = { readonly toml: () => string; readonly focus?: string; readonly impossible?: Readonly<Record<string, string>> };

const late = 'youki loads a filter when it has given up the capability for that';

/** By the name of the handler. */
export const handlers: Readonly<Record<string, Handler>> = {
  crun: { toml: () => `[runtimes.crun]\npath = "${takesHybrid() ? '/usr/bin/crun' : join(import.meta.dirname, 'crun-legacy')}"\n` },
  youki: {
    toml: () => `[runtimes.youki]\npath = "${tool('youki')}"\n`,
    impossible: {
      'should support seccomp default on the container': late,
      'should support seccomp localhost profile on the container': late,
      'blocks setting hostname with SYS_ADMIN': 'youki puts no filter on an exec',
    },
  },
  // gVisor is another kernel: what the specs ask of mounts, devices and security modules is not there. Its own network
  // stack takes any namespace of a newer kernel for the host's.
  runsc: {
    toml: () =>
      '[runtimes.runsc]\npath = "/usr/bin/runsc"\nargs = ["--platform=ptrace", "--network=host", "--ignore-cgroups"]\nsandbox = "process"\n',
    focus: 'PodSandbox runtime should support basic|basic operations on container|runtime should support (log|execSync|exec )|Multiple Containers',
    impossible: { 'execSync with timeout': 'runsc cannot end an exec whose own process is not asked to' },
  },
};

/** False where crun refuses all work: beside cgroups of version 1 there is one of version 2 that has controllers. */
function takesHybrid(): boolean {
  const unified = '/sys/fs/cgroup/unified/cgroup.controllers';
  return !existsSync(unified) || readFileSync(unified, 'utf8').trim() === '';
}
