import { posix } from 'node:path';
import type { ContainerConfig } from '../../api/cri.ts';
import { RuntimeError } from '../../api/errors.ts';
import { checkCommand } from '../container/command.ts';
import { apparmorProfile } from './apparmor.ts';
import { capabilities } from './capabilities.ts';
import { environment } from './env.ts';
import type { ImageDefaults, ResolvedUser, SpecInput } from './input.ts';
import { podNamespaces } from './namespaces.ts';
import type { OciProcess } from './oci.ts';

/** The container's first process. Throws `invalid` when there is nothing to run or a field cannot be honoured. */
export function containerProcess(input: SpecInput, user: ResolvedUser): OciProcess {
  const {
    container: { config },
    image,
    host,
  } = input;
  const security = config.linux?.security_context ?? null;
  const privileged = security?.privileged === true;
  const profile = apparmorProfile(security, input.found?.apparmorProfiles ?? null);
  return {
    ...(config.tty ? { terminal: true } : {}),
    user: { uid: user.uid, gid: user.gid, additionalGids: user.groups },
    args: commandLine(config, image),
    env: environment({ hostname: hostname(input), tty: config.tty, image: image.env, asked: config.envs }),
    cwd: posix.join('/', config.working_dir || image.workingDir || '/'),
    capabilities: capabilities(security?.capabilities ?? null, privileged, host.capabilities),
    ...(host.defaultUlimits.length > 0 ? { rlimits: host.defaultUlimits } : {}),
    noNewPrivileges: security?.no_new_privs === true,
    ...(profile === null ? {} : { apparmorProfile: profile }),
    ...(input.labels?.process ? { selinuxLabel: input.labels.process } : {}),
    oomScoreAdj: oomScoreAdj(config, host.oomScoreAdjMin),
  };
}

/** `process` of an exec in a container: as the container's first process, with another command and terminal. */
export function execProcess(container: OciProcess, command: { args: string[]; tty: boolean }): OciProcess {
  const { terminal: _, ...rest } = container;
  const hasTerm = rest.env.some((entry) => entry.startsWith('TERM='));
  return {
    ...rest,
    ...(command.tty ? { terminal: true } : {}),
    args: command.args,
    env: command.tty && !hasTerm ? [...rest.env, 'TERM=xterm'] : rest.env,
  };
}

/**
 * Kubernetes' rule: a command replaces the image's entrypoint and with it the image's arguments; args replace those.
 */
function commandLine(config: ContainerConfig, image: ImageDefaults): string[] {
  const entrypoint = config.command.length > 0 ? config.command : image.entrypoint;
  const rest = config.args.length > 0 ? config.args : config.command.length > 0 ? [] : image.cmd;
  const args = [...entrypoint, ...rest];
  if (args.length === 0) throw new RuntimeError('invalid', 'no command: neither the container nor its image names one');
  checkCommand('command and args', args);
  return args;
}

function hostname({ sandbox, host }: SpecInput): string {
  if (podNamespaces({ sandbox }).network === 'host') return host.hostname;
  return sandbox.config.hostname || sandbox.config.metadata?.name || host.hostname;
}

/** The wish within the kernel's range and not below what the daemon may give (proc(5), oom_score_adj). */
function oomScoreAdj(config: ContainerConfig, min: number): number {
  const wish = Number(config.linux?.resources?.oom_score_adj ?? 0);
  return Math.min(Math.max(wish, min, -1000), 1000);
}
