import { status } from '@grpc/grpc-js';
import test, { type ExecutionContext } from 'ava';
import type { Daemon } from './harness/daemon.ts';
import { containerConfig, createContainer, podConfig, type PodConfig } from './harness/pod.ts';
import { type Random, seeded } from './harness/random.ts';
import type { Replies } from './harness/replies.ts';
import { story } from './harness/story.ts';
import { type Ask, type ContainerState, type Done, isPossible, type Reply, type Slot } from './model/slot.ts';

const clients = 16;
const slots = 6;
const names = ['a', 'b'];
/** `npm run faults` sets BERTH_FAULTS. */
const wanted = process.env['BERTH_FAULTS'] === 'all' ? 1_000 : 200;

const stage = story();

test(`${wanted} random operations by ${clients} clients at a time do what some order of them would do`, async (t) => {
  t.timeout(wanted * 1_500);
  const { daemon } = stage();
  const random = seeded(t);
  const configs = Array.from({ length: slots }, (_, i) => podConfig(daemon, `slot-${i}`));
  let before = configs.map((): Slot => ({ pod: null, containers: {} }));
  const known = new Set<string>();
  for (let done = 0; done < wanted; done += clients) {
    const round = Array.from({ length: clients }, () => choose(random, before));
    const replies = await Promise.all(round.map(({ at, ask }) => reply(daemon, configs[at], ask)));
    const after = await observe(daemon, configs);
    for (const [at, slot] of before.entries()) {
      const mine = round.flatMap((one, i): Done[] => (one.at === at ? [{ ask: one.ask, reply: replies[i] ?? { code: '' } }] : []));
      const now = after[at] ?? { pod: null, containers: {} };
      verify(t, isPossible(slot, mine, now, known), { round: done / clients, before: slot, operations: mine, after: now });
    }
    for (const one of replies) if ('value' in one) known.add(one.value);
    before = after;
  }
});

function verify(t: ExecutionContext, holds: boolean, what: object): void {
  t.true(holds, `no order of these operations explains their replies and the end: ${JSON.stringify(what, undefined, 1)}`);
}

/** A slot, and an operation on it that makes sense more often than not. */
function choose(random: Random, before: readonly Slot[]): { at: number; ask: Ask } {
  const at = random.below(before.length);
  const slot = before[at];
  const pod = slot?.pod;
  const held = Object.values(slot?.containers ?? {});
  const asks: Ask[] = [{ do: 'run' }];
  if (pod) {
    asks.push({ do: 'stopPod', id: pod.id }, { do: 'removePod', id: pod.id });
    for (const name of names) asks.push({ do: 'create', pod: pod.id, name }, { do: 'create', pod: pod.id, name });
  }
  for (const { id } of held) {
    for (const verb of ['start', 'start', 'stop', 'remove', 'status', 'exec'] as const) asks.push({ do: verb, id });
  }
  return { at, ask: random.of(asks) };
}

async function reply(daemon: Daemon, config: PodConfig | undefined, ask: Ask): Promise<Reply> {
  try {
    return { value: await answer(daemon, config as PodConfig, ask) };
  } catch (error) {
    return { code: status[(error as { code: number }).code] ?? String(error) };
  }
}

async function answer({ cri }: Daemon, config: PodConfig, ask: Ask): Promise<string> {
  const call = async (method: keyof Replies, request: object): Promise<string> => {
    await cri.call(method, request);
    return '';
  };
  switch (ask.do) {
    case 'run':
      return (await cri.call('RunPodSandbox', { config })).pod_sandbox_id;
    case 'create':
      return createContainer(stage().daemon, { id: ask.pod, config }, containerConfig(ask.name, ['sleep', '1000']));
    case 'stopPod':
      return call('StopPodSandbox', { pod_sandbox_id: ask.id });
    case 'removePod':
      return call('RemovePodSandbox', { pod_sandbox_id: ask.id });
    case 'start':
      return call('StartContainer', { container_id: ask.id });
    case 'stop':
      return call('StopContainer', { container_id: ask.id, timeout: 0 });
    case 'remove':
      return call('RemoveContainer', { container_id: ask.id });
    case 'status':
      return stateIn((await cri.call('ContainerStatus', { container_id: ask.id })).status.state);
    case 'exec':
      return String((await cri.call('ExecSync', { container_id: ask.id, cmd: ['true'], timeout: 20 })).exit_code);
  }
}

async function observe({ cri }: Daemon, configs: readonly PodConfig[]): Promise<Slot[]> {
  const { items } = await cri.call('ListPodSandbox', {});
  const { containers } = await cri.call('ListContainers', {});
  return configs.map(({ metadata }) => {
    const mine = items.filter((item) => item.metadata.uid === metadata.uid);
    if (mine.length > 1) throw new Error(`${mine.length} pods of slot ${metadata.name}`);
    const pod = mine[0];
    const held = containers.filter((one) => one.pod_sandbox_id === pod?.id);
    return {
      pod: pod ? { id: pod.id, ready: pod.state === 'SANDBOX_READY' } : null,
      containers: Object.fromEntries(held.map((one) => [one.metadata.name, { id: one.id, state: stateIn(one.state) }])),
    };
  });
}

function stateIn(state: string): ContainerState {
  return state.replace('CONTAINER_', '').toLowerCase() as ContainerState;
}
