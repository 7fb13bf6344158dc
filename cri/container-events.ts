import { type ContainerEventResponse, type Draft, encode } from '../api/cri.ts';
import type { LifecycleType } from '../api/events.ts';
import { overLimit, RuntimeError } from '../api/errors.ts';
import type { Change } from '../pod/changes.ts';
import type { PodContext } from '../pod/context.ts';
import { type EventQueue, eventQueue } from './event-queue.ts';
import { podContainers } from './container.ts';
import { sandboxStatus } from './sandbox.ts';
import type { RuntimeHandlers } from './server.ts';

/** How much may wait for one client. */
const BOUNDS = { maxItems: 1000, maxBytes: 8 << 20 };

/** Most clients at a time: the kubelet is one. */
const MAX_CLIENTS = 64;

type EventType = ContainerEventResponse['container_event_type'];

/** What clients are told of a change; a sandbox counts as a container, as on CRI-O, and it starts when it is created. */
const told: Partial<Record<LifecycleType, EventType[]>> = {
  'pod.ready': ['CONTAINER_CREATED_EVENT', 'CONTAINER_STARTED_EVENT'],
  'pod.stopped': ['CONTAINER_STOPPED_EVENT'],
  'pod.removed': ['CONTAINER_DELETED_EVENT'],
  'container.created': ['CONTAINER_CREATED_EVENT'],
  'container.started': ['CONTAINER_STARTED_EVENT'],
  'container.exited': ['CONTAINER_STOPPED_EVENT'],
  'container.removed': ['CONTAINER_DELETED_EVENT'],
};

/** The rpc that streams changes; `close` ends its streams. */
export type ContainerEvents = { handlers: RuntimeHandlers; close(): void };

/**
 * GetContainerEvents: every client gets every change from the moment it is answered on, in order, each with the pod as
 * the change left it. One that is too slow fails with `exhausted` and has to list anew; it never makes a change wait.
 */
export function containerEvents(context: PodContext): ContainerEvents {
  const clients = new Set<EventQueue>();
  let unsubscribe = (): void => undefined;

  const leave = (client: EventQueue): void => {
    if (clients.delete(client) && clients.size === 0) unsubscribe();
  };
  const tell = (change: Change): void => {
    for (const event of messages(context, change)) {
      for (const client of clients) if (!client.push(event)) leave(client);
    }
  };
  return {
    handlers: {
      GetContainerEvents: (_, { signal }) => {
        if (clients.size >= MAX_CLIENTS) {
          throw overLimit('maxEventClients', MAX_CLIENTS, 'too many clients read container events: end some of them');
        }
        const client = eventQueue(BOUNDS, tooSlow);
        if (clients.size === 0) unsubscribe = context.changes.subscribe(tell);
        clients.add(client);
        return closing(client.read(signal), () => leave(client));
      },
    },
    close() {
      for (const client of clients) client.end(new RuntimeError('unavailable', 'berthd ends: connect again and list anew'));
    },
  };
}

function tooSlow(): RuntimeError {
  return overLimit('maxWaitingEvents', BOUNDS.maxItems, 'too many container events wait to be read: connect again and list anew');
}

async function* closing(items: AsyncGenerator<Buffer>, close: () => void): AsyncGenerator<Buffer> {
  try {
    yield* items;
  } finally {
    close();
  }
}

/** The encoded events of a change; none for what the CRI has no event. */
function messages(context: PodContext, { type, atNs, sandbox, container }: Change): Buffer[] {
  const types = told[type] ?? [];
  const event: Draft<ContainerEventResponse> = {
    container_id: container?.id ?? sandbox.id,
    pod_sandbox_status: sandboxStatus(sandbox),
    containers_statuses: podContainers(context, sandbox.id),
  };
  return types.map((container_event_type, i) => {
    const created_at = `${i === 0 ? atNs : context.changes.stampNs()}`;
    return encode('ContainerEventResponse', { ...event, container_event_type, created_at });
  });
}
