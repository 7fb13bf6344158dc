import { randomBytes } from 'node:crypto';
import { chownSync, mkdirSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { decode, encode, type PodSandboxConfig } from '../../api/cri.ts';
import { RuntimeError, whileDoing } from '../../api/errors.ts';
import { timed } from '../../api/observe.ts';
import { wallClockNs } from '../../host/clock.ts';
import { requireRoom } from '../../host/room.ts';
import type { PodContext } from '../context.ts';
import { createdAt } from '../created-at.ts';
import { fingerprint } from '../fingerprint.ts';
import type { Attachment } from '../network/cni.ts';
import { podPaths } from '../paths.ts';
import { type Sandbox, sandboxKey } from '../record.ts';
import { newPodLabels, refuseUnknownLabels, warnOfUnlabelledPidOne } from '../selinux/labels-of.ts';
import { resolvConf } from '../spec/resolv.ts';
import { onHost, ROOT } from '../spec/user-namespace.ts';
import { undone } from '../teardown.ts';
import { tellSandbox } from './event.ts';
import { makeLogDirectory } from './log-directory.ts';
import { claimCgroups } from './made-cgroups.ts';
import { networkPod } from './network.ts';
import { plannedSandbox, shimPod } from './plan.ts';
import { startProcess } from './process.ts';
import { releaseOrRetry } from './release.ts';

/**
 * RunPodSandbox: returns the id of a sandbox that is ready. An identical retry joins the work in flight or gets the
 * same id; aborting `signal` ends the wait, not the work. On error nothing of the sandbox is left.
 */
export async function runSandbox(
  context: PodContext,
  config: PodSandboxConfig,
  handler: string,
  signal: AbortSignal,
): Promise<string> {
  const encoded = encode('PodSandboxConfig', config);
  const id = randomBytes(32).toString('hex');
  const ofThePod = [...context.store.sandboxes.all()].filter((one) => one.uid === config.metadata?.uid);
  const createdAtNs = createdAt(wallClockNs(), ofThePod);
  const planned = plannedSandbox(context, id, { config, encoded, handler, createdAtNs });
  const key = sandboxKey(planned);
  const present = [...context.store.sandboxes.all()].find((one) => one.state !== 'creating' && sandboxKey(one) === key);
  if (present) return samePod(present, planned);
  requireRoom('the state directory', context.roots.state);
  return context.operations.join(`sandbox ${key}`, fingerprint(config, handler), signal, () =>
    build(context, planned, config),
  );
}

function samePod(present: Sandbox, asked: Sandbox): string {
  const print = ({ config, handler }: Sandbox): string => fingerprint(decode('PodSandboxConfig', config), handler);
  if (present.state === 'ready' && print(present) === print(asked)) return present.id;
  throw new RuntimeError(
    'exists',
    `sandbox ${asked.namespace}/${asked.name} attempt ${asked.attempt} exists as ${present.id} (${present.state}): remove it or raise the attempt`,
  );
}

async function build(context: PodContext, planned: Sandbox, config: PodSandboxConfig): Promise<string> {
  const { engine, meter, shims, store } = context;
  const paths = podPaths(context.roots, planned.id);
  let sandbox = await claimCgroups(context, planned, () => ({ selinux: newPodLabels(context, config) }));
  try {
    if (sandbox.selinux) await refuseUnknownLabels(sandbox.selinux);
    mkdirSync(paths.directory, { mode: 0o700 });
    await makeLogDirectory(context, sandbox.logDirectory);
    const pod = shimPod(context, sandbox, config);
    const { pid, pausePid, userNamespace } = await timed(meter, 'run_pod', 'shim', () => engine.call('spawnShim', { pod }));
    sandbox = store.sandboxes.put({ ...sandbox, shimPid: pid, pausePid, user: sandbox.user && { ...sandbox.user, path: userNamespace } });
    await warnOfUnlabelledPidOne(context, sandbox);
    const [attached, connected] = await Promise.allSettled([
      attach(context, sandbox, config),
      shims.open(sandbox.id, paths.socket, 0),
    ]);
    if (attached.status === 'rejected') throw attached.reason;
    sandbox = store.sandboxes.put({ ...sandbox, attachment: attached.value });
    if (connected.status === 'rejected') throw connected.reason;
    await writeFiles(context, sandbox, config);
    await labelFiles(context, sandbox);
    await timed(meter, 'run_pod', 'process', () => startProcess(context, sandbox));
    shims.of(sandbox.id);
    sandbox = store.sandboxes.put({ ...sandbox, state: 'ready' });
  } catch (error) {
    await undone(releaseOrRetry(context, sandbox));
    throw whileDoing(`run sandbox ${planned.namespace}/${planned.name}`, error);
  }
  tellSandbox(context, 'pod.ready', sandbox);
  return sandbox.id;
}

async function attach(context: PodContext, sandbox: Sandbox, config: PodSandboxConfig): Promise<Attachment | null> {
  if (sandbox.namespaces.network === 'NODE') return null;
  const pod = networkPod(context, sandbox, config);
  return timed(context.meter, 'run_pod', 'cni', () => context.network.attach(pod, new AbortController().signal));
}

/** hosts, hostname and resolv.conf of the pod, for containers to which the kubelet mounts none of its own. */
async function writeFiles(context: PodContext, sandbox: Sandbox, config: PodSandboxConfig): Promise<void> {
  const paths = podPaths(context.roots, sandbox.id);
  const own = sandbox.namespaces.network === 'POD';
  const name = config.hostname || sandbox.name;
  const root = onHost(ROOT, sandbox.user?.mappings ?? null);
  const write = (path: string, text: string): void => {
    writeFileSync(path, text, { mode: 0o644 });
    chownSync(path, root.uid, root.gid);
  };
  write(paths.resolvConf, resolvConf(config.dns_config, await hostFile('/etc/resolv.conf')));
  if (!own) {
    write(paths.hosts, await hostFile('/etc/hosts'));
    write(paths.hostname, await hostFile('/etc/hostname'));
    return;
  }
  const lines = ['127.0.0.1\tlocalhost', '::1\tlocalhost ip6-localhost ip6-loopback'];
  for (const ip of sandbox.attachment?.ips ?? []) lines.push(`${ip}\t${name}`);
  write(paths.hosts, `${lines.join('\n')}\n`);
  write(paths.hostname, `${name}\n`);
}

async function labelFiles({ engine, roots }: PodContext, sandbox: Sandbox): Promise<void> {
  if (!sandbox.selinux) return;
  const { hosts, hostname, resolvConf } = podPaths(roots, sandbox.id);
  await engine.call('relabel', { trees: [hosts, hostname, resolvConf], label: sandbox.selinux.mount });
}

function hostFile(path: string): Promise<string> {
  return readFile(path, 'utf8').catch(() => '');
}
