import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync, readdirSync, readlinkSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import type { Daemon } from '../harness/daemon.ts';
import { below } from '../harness/files.ts';
import { repository } from '../harness/paths.ts';
import { freePort, ready, start, until, type Running } from '../harness/process.ts';
import { tool } from '../harness/tools.ts';
import type { Pod, StaticPod } from './pods.ts';

/** A kubelet without an API server, whose pods come from a folder of manifests. */
export type Kubelet = {
  /** A page of its port, e.g. `/pods`. Throws unless the answer is 200. */
  readonly get: (path: string) => Promise<string>;
  /** A URL of its port, for WebSockets. */
  readonly url: (path: string) => string;
  readonly addPod: (pod: StaticPod) => void;
  readonly removePod: (name: string) => void;
  /** The pod as the kubelet would report it, once `is` holds for it. */
  readonly pod: (name: string, what: string, is: (pod: Pod) => boolean, timeoutMs?: number) => Promise<Pod>;
  readonly start: () => Promise<void>;
  readonly stop: () => Promise<void>;
  readonly kill: () => Promise<void>;
  readonly log: () => string;
  /** The cgroups of pods that there are. */
  readonly podCgroups: () => string[];
  /** Undoes what a kubelet changes on its machine. */
  readonly discard: () => void;
};

/** What the node is called: also the one name that the kubelet's own certificate is for. */
const node = 'localhost';

/** Set by every kubelet (`setupKernelTunables`) and given back here. */
const tunables = ['vm/overcommit_memory', 'vm/panic_on_oom', 'kernel/panic', 'kernel/panic_on_oops', 'kernel/keys/root_maxkeys', 'kernel/keys/root_maxbytes'];

/** Starts a kubelet on the daemon's socket with the configuration in `manifests/` and what a test needs to differ. */
export async function startKubelet(daemon: Daemon, more: object = {}): Promise<Kubelet> {
  const directory = join(daemon.directory, 'kubelet');
  const manifests = join(directory, 'manifests');
  const settings = join(directory, 'conf.d');
  for (const path of [manifests, settings, join(directory, 'pki')]) mkdirSync(path, { recursive: true });
  const port = await freePort();
  copyFileSync(join(repository, 'manifests/kubelet.yaml'), join(settings, '10-berth.conf'));
  writeFileSync(join(settings, '20-story.conf'), JSON.stringify({ ...(await overrides(daemon, directory, port)), ...more }));
  makeCgroup(daemon.cgroupParent);
  const tuned = tunables.map((name) => [`/proc/sys/${name}`, readFileSync(`/proc/sys/${name}`, 'utf8')] as const);

  const args = ['--config-dir', settings, '--root-dir', join(directory, 'root'), '--cert-dir', join(directory, 'pki'), '--hostname-override', node, '--v', '2'];
  const logPath = join(directory, 'log');
  let running: Running | undefined;
  const url = (path: string): string => `https://${node}:${port}${path}`;
  const get = async (path: string): Promise<string> => {
    const reply = await fetch(url(path));
    const text = await reply.text();
    if (reply.status !== 200) throw new Error(`GET ${path}: ${reply.status} ${text}`);
    return text;
  };
  const begin = async (): Promise<void> => {
    const [command, ...words] = clocked(tool('kubelet'), directory);
    running = start(command, [...words, ...args], logPath);
    await ready(running, () => trusted(directory) && answers(get));
  };
  await begin();
  return {
    get,
    url,
    addPod: (pod) => {
      const [draft, manifest] = [join(directory, 'draft.json'), join(manifests, `${pod.metadata.name}.json`)];
      writeFileSync(draft, JSON.stringify(pod));
      renameSync(draft, manifest);
    },
    removePod: (name) => rmSync(join(manifests, `${name}.json`)),
    pod: (name, what, is, timeoutMs = 120_000) => podOnce(get, `${name}-${node}`, { what, is, timeoutMs }),
    start: begin,
    stop: async () => await running?.stop(),
    kill: async () => await running?.kill(),
    log: () => readFileSync(logPath, 'utf8'),
    podCgroups: () => hierarchies().flatMap((path) => below(join(path, daemon.cgroupParent)).map((each) => each.path).filter((each) => /[-/]pod[-0-9a-f]+(\.slice)?$/.test(each))),
    discard: () => {
      for (const [path, value] of tuned) writeFileSync(path, value);
      removeLogLinks(daemon);
      removeCgroups(daemon);
      unmountVolumes(directory);
    },
  };
}

/**
 * The command line of the kubelet. It does not start on a processor without a clock speed, which User-Mode Linux does
 * not tell: there it sees one, and it alone. With a mount on the machine's own /proc the kernel would refuse every
 * /proc to user namespaces.
 */
function clocked(kubelet: string, directory: string): [string, ...string[]] {
  const told = readFileSync('/proc/cpuinfo', 'utf8');
  if (/^cpu MHz/m.test(told)) return [kubelet];
  const cpuinfo = join(directory, 'cpuinfo');
  writeFileSync(cpuinfo, told.replaceAll(/^model name.*$/gm, '$&\ncpu MHz\t\t: 2000.000'));
  const script = 'mount --make-private /proc && mount --bind "$0" /proc/cpuinfo && exec "$@"';
  return ['unshare', '--mount', '--propagation', 'unchanged', 'sh', '-c', script, cpuinfo, kubelet];
}

/** What differs from a node in production: places of its own, no API server, and what this kernel or machine lacks. */
async function overrides(daemon: Daemon, directory: string, port: number): Promise<object> {
  return {
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    containerRuntimeEndpoint: daemon.endpoint,
    address: '127.0.0.1',
    port,
    healthzPort: await freePort(),
    staticPodPath: join(directory, 'manifests'),
    podLogsDir: daemon.podLogs,
    volumePluginDir: join(directory, 'plugins'),
    cgroupRoot: cgroupName(daemon.cgroupParent),
    authentication: { webhook: { enabled: false }, anonymous: { enabled: true } },
    authorization: { mode: 'AlwaysAllow' },
    enforceNodeAllocatable: [],
    failCgroupV1: false,
    failSwapOn: false,
    localStorageCapacityIsolation: false,
    makeIPTablesUtilChains: false,
    oomScoreAdj: 0,
    fileCheckFrequency: '1s',
    crashLoopBackOff: { maxContainerRestartPeriod: '2s' },
  };
}

/** The kubelet wants its root cgroup to be there, with all controllers; a slice has them once systemd is asked for something of each. */
function makeCgroup(parent: string): void {
  if (!parent.endsWith('.slice')) {
    for (const hierarchy of hierarchies()) mkdirSync(join(hierarchy, parent), { recursive: true });
    return;
  }
  const wanted = ['CPUWeight=100', 'MemoryAccounting=yes', 'TasksAccounting=yes'];
  systemctl('set-property', '--runtime', basename(parent), ...wanted);
  systemctl('start', basename(parent));
}

function systemctl(...args: string[]): void {
  execFileSync('systemctl', args, { stdio: ['ignore', 'ignore', 'inherit'] });
}

/** The kubelet names cgroups without a driver's additions: `/a/b` for `/a.slice/a-b.slice`. */
function cgroupName(path: string): string {
  if (!path.endsWith('.slice')) return path;
  return `/${basename(path, '.slice').replaceAll('-', '/')}`;
}

/** True once the kubelet has written its certificate; from then on this process trusts it. */
function trusted(directory: string): boolean {
  try {
    setDefaultCACertificates([...getCACertificates('bundled'), readFileSync(join(directory, 'pki/kubelet.crt'), 'utf8')]);
    return true;
  } catch {
    return false;
  }
}

async function answers(get: Kubelet['get']): Promise<boolean> {
  return await get('/pods').then(() => true, () => false);
}

async function podOnce(
  get: Kubelet['get'],
  name: string,
  { what, is, timeoutMs }: { what: string; is: (pod: Pod) => boolean; timeoutMs: number },
): Promise<Pod> {
  let found: Pod | undefined;
  const holds = async (): Promise<boolean> => {
    const { items } = JSON.parse(await get('/pods')) as { items: Pod[] | null };
    found = items?.find((pod) => pod.metadata.name === name);
    return found?.status.containerStatuses !== undefined && is(found);
  };
  await until(holds, timeoutMs, `pod ${name}: ${what}`).catch((error: unknown) => {
    throw new Error(`${(error as Error).message}; it is ${JSON.stringify(found?.status, null, 1)}`, { cause: error });
  });
  return found as Pod;
}

function hierarchies(): string[] {
  const mounts = readFileSync('/proc/self/mounts', 'utf8').split('\n').map((line) => line.split(' '));
  return mounts.filter(([, , type = '']) => type.startsWith('cgroup')).map(([, path = '']) => path);
}

/** The kubelet links logs into a folder that cannot be configured. */
function removeLogLinks(daemon: Daemon): void {
  const folder = '/var/log/containers';
  const links = readdirSync(folder).map((name) => join(folder, name));
  for (const link of links.filter((path) => readlinkSync(path).startsWith(daemon.directory))) rmSync(link);
}

/** The kubelet leaves its own cgroups; one in which something is left stays, for the check of leaks to find. */
function removeCgroups(daemon: Daemon): void {
  const parent = daemon.cgroupParent;
  if (parent.endsWith('.slice')) systemctl('stop', `${basename(parent, '.slice')}-kubepods.slice`);
  else for (const hierarchy of hierarchies()) {
    for (const name of ['kubepods/burstable', 'kubepods/besteffort', 'kubepods']) {
      spawnSync('rmdir', [join(hierarchy, parent, name)], { stdio: 'ignore' });
    }
  }
}

/** After a test that failed, volumes of pods may still be mounted. */
function unmountVolumes(directory: string): void {
  const points = readFileSync('/proc/self/mounts', 'utf8').split('\n').map((line) => line.split(' ')[1] ?? '');
  for (const point of points.filter((path) => path.startsWith(directory))) spawnSync('umount', ['-l', point]);
}
