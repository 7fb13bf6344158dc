import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { status } from '@grpc/grpc-js';
import { textOf } from '../harness/files.ts';
import { containerConfig, type Pod } from '../harness/pod.ts';
import { containerPlan } from './choice.ts';
import { type Books, discrepancies, readBooks, readLog, type Suffered } from './ledger.ts';
import { script } from './script.ts';
import { codeOf, count, type LiveContainer, type LivePod, noteFailure, persist, problem, type Soak } from './soak.ts';

/** How long the runtime may take to notice an end that the container's books tell of, ms. */
const NOTICE_MS = 300_000;
/** How long its log may take to be whole after its end, ms: another thread writes it. */
const LOG_MS = 60_000;

/** A container that was made: where it keeps its books, and whether its start failed. */
type Made = { readonly live: LiveContainer; readonly volume: string; startFailed: boolean };

/**
 * One container from CreateContainer to its end, or until `cut`; compares what is told of it with its own books. False
 * when the pod takes no container any more.
 */
export async function runContainer(soak: Soak, pod: Pod, live: LivePod, attempt: number, cutEarly: boolean): Promise<boolean> {
  const plan = containerPlan(soak.random, soak.longest, `${pod.config.metadata.name}.${pod.id.slice(0, 6)}.${attempt}`);
  const made = await create(soak, pod, plan, attempt);
  if (made === undefined) return false;
  await start(soak, made);
  live.running = made.live;
  const stopAtMs = performance.now() + (plan.stopAfterMs ?? Number.POSITIVE_INFINITY);
  const cutAtMs = cutEarly ? performance.now() + soak.random.below(plan.lines * 100) : Number.POSITIVE_INFINITY;
  await untilEnd(soak, live, made, () => performance.now() > Math.min(stopAtMs, cutAtMs));
  const { live: container } = made;
  if (soak.watch.container(container.id) !== 'CONTAINER_EXITED') {
    container.stopped = true;
    live.stopped = performance.now() > cutAtMs;
    if (live.stopped) await persist(soak, 'StopPodSandbox', { pod_sandbox_id: pod.id });
    else await persist(soak, 'StopContainer', { container_id: container.id, timeout: 10 });
  }
  live.running = undefined;
  container.ended = true;
  await container.rotation;
  await settle(soak, live, made);
  await persist(soak, 'RemoveContainer', { container_id: container.id });
  return !live.stopped && !live.shimKilled;
}

async function create(soak: Soak, pod: Pod, plan: ReturnType<typeof containerPlan>, attempt: number): Promise<Made | undefined> {
  const volume = join(soak.directory, 'volumes', plan.id);
  mkdirSync(volume, { recursive: true });
  const log = `c.${attempt}.log`;
  const config = containerConfig('c', ['sh', '-c', script(plan)], {
    metadata: { name: 'c', attempt },
    log_path: log,
    mounts: [{ container_path: '/soak', host_path: volume }],
  });
  const request = { pod_sandbox_id: pod.id, config, sandbox_config: pod.config };
  try {
    const { container_id: id } = await persist(soak, 'CreateContainer', request, [status.FAILED_PRECONDITION, status.NOT_FOUND]);
    const logPath = join(pod.config.log_directory, log);
    const live = { id, name: plan.id, logPath, rotated: [], rotation: Promise.resolve(), stopped: false, ended: false };
    return { live, volume, startFailed: false };
  } catch (error) {
    if (![status.FAILED_PRECONDITION, status.NOT_FOUND].includes(codeOf(error))) throw error;
    return undefined;
  }
}

/** StartContainer as the kubelet would go on after a failure: by what the container is then. */
async function start(soak: Soak, made: Made): Promise<void> {
  const container_id = made.live.id;
  for (;;) {
    try {
      await soak.daemon.cri.call('StartContainer', { container_id });
      return;
    } catch (error) {
      noteFailure(soak, 'StartContainer', error);
    }
    made.startFailed = true;
    const { state } = (await persist(soak, 'ContainerStatus', { container_id })).status;
    if (state !== 'CONTAINER_CREATED') return;
    await soak.watch.next();
  }
}

/** Waits until the lists say that it has ended, or `isEnough`. An end that they do not tell of is a problem. */
async function untilEnd(soak: Soak, live: LivePod, made: Made, isEnough: () => boolean): Promise<void> {
  const { id, name } = made.live;
  let [absent, endedSince, told] = [0, Number.POSITIVE_INFINITY, false];
  while (!soak.over && !isEnough()) {
    await soak.watch.next();
    const state = soak.watch.container(id);
    if (state === 'CONTAINER_EXITED') return;
    absent = state === '' ? absent + 1 : 0;
    if (absent === 3) problem(soak, `container ${name} (${id}) is not listed any more`);
    if (booksOf(made).endings.length > 0 || live.shimKilled) endedSince = Math.min(endedSince, performance.now());
    if (performance.now() - endedSince > NOTICE_MS && !told) {
      told = true;
      problem(soak, `container ${name} (${id}) has ended five minutes ago and is listed as ${state}`);
    }
  }
}

/** Compares and clears away; what is wrong is kept to be looked into. */
async function settle(soak: Soak, live: LivePod, made: Made): Promise<void> {
  const { live: container, volume } = made;
  const { status: told } = await persist(soak, 'ContainerStatus', { container_id: container.id });
  const files = [...container.rotated, container.logPath];
  const compare = (): string[] => {
    const suffered: Suffered = { shimKilled: live.shimKilled, stopped: container.stopped, startFailed: made.startFailed };
    const account = { state: told.state, exitCode: told.exit_code, log: readLog(files.map(textOf).join('')) };
    return discrepancies(container.name, booksOf(made), account, suffered);
  };
  const wrong = [...(await writesOn(soak, made)), ...(await lasting(soak, compare))];
  const books = booksOf(made);
  count(soak, 'exits');
  count(soak, 'lines', books.lines);
  if (books.endings.includes(told.exit_code)) count(soak, 'exits by books');
  const context = JSON.stringify({ told, shimKilled: live.shimKilled, ...container, files, volume, startFailed: made.startFailed });
  for (const one of wrong) problem(soak, `container ${container.name}: ${one}; ${context}`);
  if (wrong.length > 0) return;
  rmSync(volume, { recursive: true });
  for (const file of files) rmSync(file, { force: true });
}

/** Who has ended writes nothing any more; a container writes each second. */
async function writesOn(soak: Soak, made: Made): Promise<string[]> {
  const { lines } = booksOf(made);
  await soak.watch.next();
  await soak.watch.next();
  const more = booksOf(made).lines - lines;
  return more > 0 ? [`has written ${more} lines since it was told to have ended`] : [];
}

/** What is wrong and stays so: a log may need a while to be whole. */
async function lasting(soak: Soak, compare: () => string[]): Promise<string[]> {
  const deadline = performance.now() + LOG_MS;
  let wrong = compare();
  if (wrong.length > 0) count(soak, 'logs late');
  while (wrong.length > 0 && performance.now() < deadline) {
    await soak.watch.next();
    wrong = compare();
  }
  return wrong;
}

function booksOf({ volume }: Made): Books {
  const [starts, endings, lines] = ['starts', 'endings', 'lines'].map((name) => textOf(join(volume, name)));
  return readBooks(starts ?? '', endings ?? '', lines ?? '');
}
