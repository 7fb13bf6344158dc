import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ConnectionOptions, MsgHdrs, NatsConnection } from 'nats';
import type { LifecycleEvent } from '../api/events.ts';
import type { Log, Meter } from '../api/observe.ts';
import type { Events } from './events.ts';

export type NatsOptions = {
  /** `nats://HOST:PORT`, also with `USER:PASSWORD@` or `TOKEN@`; `tls://` for TLS. */
  url: string;
  subscribe: Events['subscribe'];
  log: Log;
  meter: Meter;
  /** Events kept while the server is away; the oldest are dropped. */
  queueEvents?: number;
  /** Pause before it is tried again, in milliseconds. */
  retryMs?: number;
};

/** Messages sent before the server's word is awaited that it has them. */
const BATCH = 64;

type Message = { id: string; subject: string; body: string };
type Outbox = { messages: Message[]; arrived: () => void };

/**
 * Publishes every event on the bus to a NATS server, subject `berth.v1.<type>`, for ever and in the background; returns
 * at once. An event may arrive twice when the connection breaks: its `Nats-Msg-Id` is the same then.
 */
export function publishToNats(options: NatsOptions): { close(): Promise<void> } {
  const { queueEvents = 4096, meter } = options;
  const outbox: Outbox = { messages: [], arrived: () => {} };
  const tag = randomBytes(6).toString('hex');
  let sequence = 0;
  const unsubscribe = options.subscribe((event) => {
    outbox.messages.push(toMessage(event, `${tag}-${++sequence}`));
    if (outbox.messages.length > queueEvents) {
      outbox.messages.shift();
      meter.count('events_dropped');
    }
    outbox.arrived();
  });
  const ending = new AbortController();
  const ended = stayConnected(options, outbox, ending.signal);
  return {
    async close() {
      unsubscribe();
      ending.abort();
      await ended;
    },
  };
}

function toMessage({ atNs, ...rest }: LifecycleEvent, id: string): Message {
  return { id, subject: `berth.v1.${rest.type}`, body: JSON.stringify({ ...rest, atNs: String(atNs) }) };
}

/** Connects again and again until `ending`; each outage is logged once. */
async function stayConnected({ url, log, retryMs = 2000 }: NatsOptions, outbox: Outbox, ending: AbortSignal): Promise<void> {
  const { default: nats } = await import('nats');
  let away = false;
  while (!ending.aborted) {
    try {
      const connection = await nats.connect(connectionOptions(url));
      log.info('publishing events to NATS', { server: connection.getServer() });
      away = false;
      await send(connection, () => nats.headers(), outbox, ending);
    } catch (error) {
      if (!away && !ending.aborted) log.warn('NATS is away, events are kept for a while and then dropped', { url, error: String(error) });
      away = true;
    }
    await sleep(retryMs, undefined, { signal: ending }).catch(() => {});
  }
}

/** Reconnecting is left to `stayConnected`, so that nothing piles up inside the client. */
function connectionOptions(url: string): ConnectionOptions {
  const { protocol, host, username, password } = new URL(url);
  const user = decodeURIComponent(username);
  return {
    servers: host,
    name: 'berthd',
    reconnect: false,
    timeout: 5000,
    pingInterval: 10_000,
    ...(protocol === 'tls:' ? { tls: {} } : {}),
    ...(password !== '' ? { user, pass: decodeURIComponent(password) } : user !== '' ? { token: user } : {}),
  };
}

/** Sends what is in the outbox and what comes; a message leaves it when the server has it. Ends by throwing. */
async function send(
  connection: NatsConnection,
  newHeaders: typeof import('nats').headers,
  outbox: Outbox,
  ending: AbortSignal,
): Promise<void> {
  let interrupt: (why: unknown) => void = () => {};
  const close = (): void => void connection.close();
  ending.addEventListener('abort', close, { once: true });
  void connection.closed().then((error) => interrupt(error ?? new Error('the connection ended')));
  try {
    while (!connection.isClosed()) {
      const batch = outbox.messages.slice(0, BATCH);
      for (const message of batch) publish(connection, newHeaders(), message);
      // A flush that the connection's end interrupts would wait for ever.
      await new Promise<void>((resolve, reject) => {
        interrupt = reject;
        if (batch.length > 0) connection.flush().then(resolve, reject);
        else outbox.arrived = resolve;
      });
      const sent = new Set(batch);
      outbox.messages = outbox.messages.filter((message) => !sent.has(message));
    }
    throw new Error('the connection ended');
  } finally {
    ending.removeEventListener('abort', close);
    await connection.close();
  }
}

function publish(connection: NatsConnection, headers: MsgHdrs, { id, subject, body }: Message): void {
  headers.set('Nats-Msg-Id', id);
  connection.publish(subject, body, { headers });
}
