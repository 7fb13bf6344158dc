import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { encode } from '../../api/cri.ts';
import type { Container, Sandbox } from '../../pod/record.ts';
import { openStore } from '../../pod/store.ts';

const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };
const idOf = (text: string): string => createHash('sha256').update(text).digest('hex');

/** How many containers a pod has that are written for a daemon to find. */
export const PER_POD = 100;

/**
 * Writes the records of `count` containers that have exited, in stopped pods of this boot, to the state directory of a
 * daemon that does not run: what is left on a node whose pods crash faster than they are removed.
 */
export function writeExited(state: string, count: number): void {
  openStore(state, readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim(), silent).close();
  const database = new DatabaseSync(join(state, 'state.db'));
  // All at once: by commits of their own so many would take minutes.
  database.exec('BEGIN');
  const put = (table: string, { config, ...record }: Sandbox | Container): void =>
    void database.prepare(`INSERT INTO ${table} (id, record, config) VALUES (?, ?, ?)`).run(record.id, JSON.stringify(record), config);
  for (let at = 0; at < count; at++) {
    const pod = Math.floor(at / PER_POD);
    if (at % PER_POD === 0) put('sandbox', sandbox(pod));
    put('container', container(pod, at % PER_POD));
  }
  database.exec('COMMIT');
  database.close();
}

const labelsOf = (pod: number) => ({ 'io.kubernetes.pod.name': `crashing-${pod}`, 'io.kubernetes.pod.namespace': 'e2e', 'io.kubernetes.pod.uid': idOf(`uid ${pod}`).slice(0, 36) });

function sandbox(pod: number): Sandbox {
  const metadata = { name: `crashing-${pod}`, uid: idOf(`uid ${pod}`).slice(0, 36), namespace: 'e2e', attempt: 0 };
  return {
    id: idOf(`pod ${pod}`), state: 'stopped', ...metadata, labels: labelsOf(pod), annotations: {}, handler: '',
    namespaces: { network: 'POD', pid: 'CONTAINER', ipc: 'POD' }, logDirectory: '',
    config: Buffer.from(encode('PodSandboxConfig', { metadata, labels: labelsOf(pod) })), createdAtNs: `${1_700_000_000_000_000_000n + BigInt(pod)}`,
    cgroupParent: `/berth-exited/pod${pod}`, madeCgroups: [], shimPid: 0, pausePid: 0, user: null, attachment: null, networkReleased: true,
  };
}

function container(pod: number, attempt: number): Container {
  const annotations = {
    'io.kubernetes.container.hash': idOf('hash').slice(0, 8), 'io.kubernetes.container.restartCount': `${attempt}`,
    'io.kubernetes.container.terminationMessagePath': '/dev/termination-log', 'io.kubernetes.container.terminationMessagePolicy': 'File',
    'io.kubernetes.pod.terminationGracePeriod': '30',
  };
  const labels = { ...labelsOf(pod), 'io.kubernetes.container.name': 'app' };
  const finishedAtNs = `${1_700_000_000_000_000_000n + BigInt(pod * PER_POD + attempt)}`;
  return {
    id: idOf(`container ${pod} ${attempt}`), sandboxId: idOf(`pod ${pod}`), handler: '', cgroupParent: `/berth-exited/pod${pod}`, state: 'exited',
    name: 'app', attempt, labels, annotations, imageId: `sha256:${idOf('image')}`, imageRef: `docker.io/e2e/app@sha256:${idOf('manifest')}`, imageVolumes: [],
    config: configOf(attempt), createdAtNs: finishedAtNs, startedAtNs: finishedAtNs,
    exit: { exitCode: 1, signal: 0, oomKilled: false, finishedAtNs }, exitSeq: 0, message: '', pid: 0, logPath: `/var/log/pods/e2e/app/${attempt}.log`,
    user: { uid: 0, gid: 0, groups: [0] }, stopSignal: 15,
  };
}

const configs = new Map<number, Buffer>();

/** The same for all pods. */
function configOf(attempt: number): Buffer {
  const known = configs.get(attempt);
  if (known !== undefined) return known;
  const envs = Array.from({ length: 12 }, (_, at) => ({ key: `SERVICE_${at}_PORT_80_TCP_ADDR`, value: Buffer.from(`10.96.0.${at}`) }));
  const image = { image: 'docker.io/e2e/app:1' };
  const config = Buffer.from(encode('ContainerConfig', { metadata: { name: 'app', attempt }, image, command: ['/app'], envs, log_path: `app/${attempt}.log` }));
  configs.set(attempt, config);
  return config;
}
