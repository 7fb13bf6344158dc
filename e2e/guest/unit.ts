import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connectCri } from '../harness/cri.ts';
import type { Daemon } from '../harness/daemon.ts';
import { repository } from '../harness/paths.ts';
import { registriesConf } from '../harness/registry.ts';

/** Runs systemctl; throws with what it said when it fails. */
export function systemctl(...args: readonly string[]): string {
  return execFileSync('systemctl', args, { encoding: 'utf8' }).trimEnd();
}

/** Properties of a unit, by name. */
export function properties(unit: string, ...names: readonly string[]): Record<string, string> {
  const lines = systemctl('show', unit, ...names.map((name) => `--property=${name}`)).split('\n');
  return Object.fromEntries(lines.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]));
}

/**
 * Installs this tree as an administrator would, at /opt/berth with the unit of `manifests/`, and starts it. `dropIn`
 * goes into a drop-in of the unit.
 */
export function installService(registry: string, dropIn: string): Daemon {
  mkdirSync('/opt/berth', { recursive: true });
  execFileSync('mount', ['--bind', repository, '/opt/berth']);
  mkdirSync('/etc/containers', { recursive: true });
  writeFileSync('/etc/containers/registries.conf', registriesConf([registry]));
  mkdirSync('/etc/systemd/system/berth.service.d', { recursive: true });
  for (const unit of ['berth.service', 'berth.socket'])
    writeFileSync(`/etc/systemd/system/${unit}`, readFileSync(join(repository, 'manifests', unit)));
  writeFileSync('/etc/systemd/system/berth.service.d/test.conf', dropIn);
  systemctl('daemon-reload');
  systemctl('start', 'berth.service');
  return service();
}

/** The unit as a daemon under test: all paths and names are the defaults that the unit leaves alone. */
function service(): Daemon {
  const state = '/run/berth';
  const pid = () => Number(properties('berth.service', 'MainPID')['MainPID']);
  const podLogs = '/var/log/pods';
  mkdirSync(podLogs, { recursive: true });
  return {
    directory: state,
    root: '/var/lib/berth',
    state,
    socket: join(state, 'berth.sock'),
    network: {
      name: 'berth',
      bridge: 'berth0',
      gateway: '10.86.0.1',
      configDirectory: '/etc/cni/net.d',
      addressDirectory: '/var/lib/cni/networks/berth',
    },
    registries: [],
    endpoint: `unix://${state}/berth.sock`,
    podLogs,
    cgroupParent: '/kubepods.slice/kubepods-poduid.slice',
    logPath: '/run/berth.log',
    commandLine: ['systemctl', 'start', 'berth.service'],
    cri: connectCri(join(state, 'berth.sock')),
    pid,
    isRunning: () => pid() > 0,
    start: async () => void systemctl('start', 'berth.service'),
    stop: async () => void systemctl('stop', 'berth.service'),
    kill: async () => void systemctl('kill', '--signal=KILL', '--kill-who=main', 'berth.service'),
  };
}
