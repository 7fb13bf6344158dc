import { renameSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { status } from '@grpc/grpc-js';
import { openSocket } from '../harness/streams.ts';
import { codeOf, count, type LiveContainer, type LivePod, noteFailure, persist, problem, type Soak } from './soak.ts';

/** Lines of a streamed exec. */
const STREAMED = 2000;
const STREAM_MS = 300_000;
/** How often a container is looked at, a second apart, before what is wrong in it counts. */
const LOOKS = 5;

type Target = { readonly pod: LivePod; readonly container: LiveContainer };

/** ExecSync in a random container, as a probe of the kubelet; what it answers, when it answers, has to be right. */
export async function probe(soak: Soak): Promise<void> {
  const target = choose(soak);
  if (target === undefined) return;
  const { container } = target;
  const code = soak.random.below(3);
  const cmd = ['sh', '-c', `echo ${container.name}; exit ${code}`];
  try {
    const reply = await soak.daemon.cri.call('ExecSync', { container_id: container.id, cmd, timeout: 60 });
    count(soak, 'probes');
    const said = `${reply.stdout.toString()}${reply.exit_code}`;
    if (said !== `${container.name}\n${code}`) await complain(soak, target, `a probe said ${JSON.stringify(said)} ${reply.stderr.toString()}`);
  } catch (error) {
    noteFailure(soak, 'ExecSync', error);
    count(soak, 'failed probes');
  }
}

/** A streamed exec; one that ends with a status has to have brought all lines. */
export async function stream(soak: Soak): Promise<void> {
  const target = choose(soak);
  if (target === undefined) return;
  const request = { container_id: target.container.id, cmd: ['seq', '1', `${STREAMED}`], stdout: true, stderr: true };
  try {
    const { url } = await soak.daemon.cri.call('Exec', request);
    const socket = await openSocket(url, 'v5.channel.k8s.io');
    const patience = new AbortController();
    await Promise.race([socket.closed, sleep(STREAM_MS, undefined, { signal: patience.signal }).catch(() => undefined)]);
    patience.abort();
    count(soak, 'streams');
    if (!socket.text(3).includes('"Success"')) count(soak, 'broken streams');
    else if (socket.text(1) !== numbers) await complain(soak, target, `a streamed exec brought ${socket.text(1).length} of ${numbers.length} bytes`);
    socket.close();
  } catch (error) {
    noteFailure(soak, 'Exec', error);
    count(soak, 'broken streams');
  }
}

const numbers = Array.from({ length: STREAMED }, (_, i) => `${i + 1}\n`).join('');

/** Renames a log and has it reopened, as the kubelet rotates; nobody else looks at the files meanwhile. */
export async function rotate(soak: Soak): Promise<void> {
  const target = choose(soak);
  if (target === undefined) return;
  const { container } = target;
  container.rotation = reopen(soak, target);
  await container.rotation;
}

async function reopen(soak: Soak, target: Target): Promise<void> {
  const { container } = target;
  const to = `${container.logPath}.${container.rotated.length + 1}`;
  try {
    renameSync(container.logPath, to);
  } catch (error) {
    // No file was made if the container had ended before its log could be reopened.
    await complain(soak, target, `its log cannot be renamed: ${String(error)}`);
    return;
  }
  container.rotated.push(to);
  const gone = [status.FAILED_PRECONDITION, status.NOT_FOUND];
  for (;;) {
    try {
      await soak.daemon.cri.call('ReopenContainerLog', { container_id: container.id });
      count(soak, 'rotations');
      return;
    } catch (error) {
      noteFailure(soak, 'ReopenContainerLog', error);
      if (gone.includes(codeOf(error)) || container.ended || container.stopped) return;
    }
    await soak.watch.next();
  }
}

function choose(soak: Soak): Target | undefined {
  const targets = soak.homes.flatMap(({ pod }): Target[] => {
    const container = pod?.running;
    return pod === undefined || container === undefined || container.stopped || pod.shimKilled ? [] : [{ pod, container }];
  });
  return targets.length === 0 ? undefined : soak.random.of(targets);
}

/**
 * What a container that ends meanwhile, or whose shim is gone, said of itself counts for nothing. Its processes are killed
 * with its first one, and that may be noticed before its own end.
 */
async function complain(soak: Soak, { pod, container }: Target, text: string): Promise<void> {
  for (let look = 0; look < LOOKS; look++) {
    await soak.watch.next();
    const { state } = (await persist(soak, 'ContainerStatus', { container_id: container.id }, [status.NOT_FOUND])).status;
    if (state !== 'CONTAINER_RUNNING' || container.stopped || pod.shimKilled) return;
  }
  problem(soak, `${container.name} (${container.id}): ${text}`);
}
