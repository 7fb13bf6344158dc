import { RuntimeError } from '../api/errors.ts';

/** Number of the first descriptor that is handed over: SD_LISTEN_FDS_START of sd_listen_fds(3). */
const FIRST_DESCRIPTOR = 3;

/**
 * The descriptor of the socket that a service manager listens on for process `pid`, by the environment that it made
 * (sd_listen_fds(3)); undefined when there is none. Clients that come while the process is away wait in that socket for
 * its next start. The words are taken out of `env`: an OCI runtime would take them for its own. Throws `invalid` when there
 * are several sockets: who would know which is for what?
 */
export function takeHandedSocket(env: NodeJS.ProcessEnv, pid: number): number | undefined {
  const { LISTEN_PID: forPid, LISTEN_FDS: howMany = '0' } = env;
  for (const name of ['LISTEN_PID', 'LISTEN_FDS', 'LISTEN_FDNAMES']) delete env[name];
  if (forPid !== String(pid) || howMany === '0') return undefined;
  if (howMany === '1') return FIRST_DESCRIPTOR;
  throw new RuntimeError('invalid', `${howMany} sockets were handed over (LISTEN_FDS); give the unit one, that of the CRI`);
}
