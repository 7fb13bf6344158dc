/** What a client can ask of one pod and its containers; ids are those that were known when the round began. */
export type Ask =
  | { do: 'run' }
  | { do: 'stopPod' | 'removePod'; id: string }
  | { do: 'create'; pod: string; name: string }
  | { do: 'start' | 'stop' | 'remove' | 'status' | 'exec'; id: string };

/** What came of it: `value` is an id, a state or an exit code; `code` a gRPC status by name. */
export type Reply = { value: string } | { code: string };

export type ContainerState = 'created' | 'running' | 'exited';
export type Slot = {
  pod: { id: string; ready: boolean } | null;
  containers: Readonly<Record<string, { id: string; state: ContainerState }>>;
};
export type Done = { ask: Ask; reply: Reply };

/** One instant of an operation: the slot after it, or undefined when the reply does not fit what the slot is. */
type Step = (slot: Slot) => Slot | undefined;

/**
 * Whether there is an order of the operations' instants in which every reply is right and the end is as observed
 * (linearizability, with removals and stops of several instants). `known` are the ids given out before.
 */
export function isPossible(before: Slot, done: readonly Done[], after: Slot, known: ReadonlySet<string>): boolean {
  const seen = new Set<string>();
  const search = (slot: Slot, left: readonly (readonly Step[])[]): boolean => {
    const key = `${text(slot)} ${left.map((steps) => steps.length).join()}`;
    if (seen.has(key)) return false;
    seen.add(key);
    if (left.every((steps) => steps.length === 0)) return text(slot) === text(after);
    return left.some(([step, ...rest], i) => {
      const next = step?.(slot);
      return next !== undefined && search(next, left.with(i, rest));
    });
  };
  return search(before, done.map(({ ask, reply }) => stepsOf(ask, reply, known)));
}

function text({ pod, containers }: Slot): string {
  const sorted = Object.entries(containers).sort(([one], [other]) => (one < other ? -1 : 1));
  return JSON.stringify([pod, sorted]);
}

function stepsOf(ask: Ask, reply: Reply, known: ReadonlySet<string>): Step[] {
  switch (ask.do) {
    case 'run':
      return [ran(reply, known)];
    case 'create':
      return [created(ask.pod, ask.name, reply, known)];
    case 'start':
      return [started(ask.id, reply)];
    case 'status':
      return [(slot) => (stateOf(slot, ask.id) === ('value' in reply ? reply.value : absentIf(reply, 'NOT_FOUND')) ? slot : undefined)];
    case 'exec':
      return [(slot) => ((stateOf(slot, ask.id) === 'running') === ('value' in reply && reply.value === '0') ? slot : undefined)];
    case 'stopPod':
      return accepted(reply, [unready(ask.id), killedAll(ask.id)]);
    case 'removePod':
      return accepted(reply, [unready(ask.id), killedAll(ask.id), (slot) => (slot.pod?.id === ask.id ? { pod: null, containers: {} } : slot)]);
    case 'stop':
      return accepted(reply, [killed(ask.id)]);
    case 'remove':
      return accepted(reply, [killed(ask.id), removed(ask.id)]);
  }
}

const impossible: Step = () => undefined;

/** Operations that always succeed. */
function accepted(reply: Reply, steps: Step[]): Step[] {
  return 'value' in reply ? steps : [impossible];
}

function absentIf({ code }: { code: string }, expected: string): string {
  return code === expected ? 'absent' : code;
}

function stateOf({ containers }: Slot, id: string): ContainerState | 'absent' {
  return Object.values(containers).find((container) => container.id === id)?.state ?? 'absent';
}

function ran(reply: Reply, known: ReadonlySet<string>): Step {
  return (slot) => {
    const { pod } = slot;
    if ('code' in reply) return reply.code === 'ALREADY_EXISTS' && pod?.ready === false ? slot : undefined;
    if (pod !== null) return pod.ready && pod.id === reply.value ? slot : undefined;
    return known.has(reply.value) ? undefined : { pod: { id: reply.value, ready: true }, containers: {} };
  };
}

function created(pod: string, name: string, reply: Reply, known: ReadonlySet<string>): Step {
  return (slot) => {
    const present = slot.containers[name];
    if ('code' in reply) return createRefused(slot, pod, present?.state, reply.code) ? slot : undefined;
    if (slot.pod?.id !== pod || !slot.pod.ready) return undefined;
    if (present) return present.state === 'created' && present.id === reply.value ? slot : undefined;
    if (known.has(reply.value)) return undefined;
    return { ...slot, containers: { ...slot.containers, [name]: { id: reply.value, state: 'created' } } };
  };
}

function createRefused({ pod }: Slot, asked: string, present: ContainerState | undefined, code: string): boolean {
  if (pod?.id !== asked) return ['NOT_FOUND', 'UNAVAILABLE', 'CANCELLED', 'FAILED_PRECONDITION'].includes(code);
  if (!pod.ready) return ['FAILED_PRECONDITION', 'UNAVAILABLE', 'CANCELLED'].includes(code);
  return code === 'ALREADY_EXISTS' && present !== undefined && present !== 'created';
}

function started(id: string, reply: Reply): Step {
  return (slot) => {
    const state = stateOf(slot, id);
    if ('value' in reply) return state === 'created' ? withState(slot, id, 'running') : undefined;
    const codes = { absent: ['NOT_FOUND', 'CANCELLED', 'UNAVAILABLE'], running: ['FAILED_PRECONDITION'], exited: ['FAILED_PRECONDITION', 'CANCELLED'], created: [] };
    return (codes[state] as string[]).includes(reply.code) ? slot : undefined;
  };
}

function withState(slot: Slot, id: string, state: ContainerState): Slot {
  const entries = Object.entries(slot.containers).map(([name, one]) => [name, one.id === id ? { id, state } : one] as const);
  return { ...slot, containers: Object.fromEntries(entries) };
}

function unready(id: string): Step {
  return (slot) => (slot.pod?.id === id ? { ...slot, pod: { id, ready: false } } : slot);
}

function killedAll(id: string): Step {
  return (slot) => {
    if (slot.pod?.id !== id) return slot;
    return Object.values(slot.containers).reduce((so, container) => withState(so, container.id, 'exited'), slot);
  };
}

function killed(id: string): Step {
  return (slot) => withState(slot, id, 'exited');
}

function removed(id: string): Step {
  return (slot) => ({ ...slot, containers: Object.fromEntries(Object.entries(slot.containers).filter(([, one]) => one.id !== id)) });
}
