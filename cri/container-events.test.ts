import test from 'ava';
import { decode } from '../api/cri.ts';
import { isKind } from '../api/errors.ts';
import { openChanges } from '../pod/changes.ts';
import type { PodContext } from '../pod/context.ts';
import type { Sandbox } from '../pod/record.ts';
import { containerEvents } from './container-events.ts';

const silent = { debug() {}, info() {}, warn() {}, error() {} };
const pod = { id: 'p', name: 'p', namespace: 'n', uid: 'u', attempt: 0, config: Buffer.alloc(0), namespaces: {} } as Sandbox;

/** The rpc on a context without containers, and how many listeners it has at the source. */
function served() {
  const real = openChanges(silent);
  let listeners = 0;
  const subscribe: typeof real.subscribe = (listener) => {
    listeners++;
    const leave = real.subscribe(listener);
    return () => {
      listeners--;
      leave();
    };
  };
  const changes = { ...real, subscribe };
  const context = { changes, store: { containersOf: () => [] } } as unknown as PodContext;
  const { handlers, close } = containerEvents(context);
  const open = (signal: AbortSignal) => {
    const stream = handlers.GetContainerEvents?.({}, { signal } as never)[Symbol.asyncIterator]();
    if (!stream) throw new Error('no handler');
    return stream;
  };
  const tell = () => changes.tell({ type: 'pod.stopped', atNs: changes.stampNs(), sandbox: pod, container: null });
  return { open, close, tell, listeners: () => listeners };
}

test('changes from the call on are streamed, and nothing is kept of clients that have gone', async (t) => {
  const { open, tell, listeners } = served();
  tell();
  t.is(listeners(), 0);
  const gone = [new AbortController(), new AbortController()];
  const streams = gone.map(({ signal }) => open(signal));
  t.is(listeners(), 1);
  tell();
  for (const stream of streams) {
    const { value } = await stream.next();
    t.is(decode('ContainerEventResponse', value as Buffer).container_id, 'p');
  }
  const waiting = streams.map((stream) => stream.next());
  for (const abort of gone) abort.abort(new Error('gone'));
  for (const next of waiting) await t.throwsAsync(next, { message: 'gone' });
  t.is(listeners(), 0);
});

test('a client that is too slow is forgotten while it does not read, the others go on', async (t) => {
  const { open, tell, listeners } = served();
  const slow = open(new AbortController().signal);
  for (let sent = 0; sent < 1001; sent++) tell();
  t.is(listeners(), 0);
  const other = open(new AbortController().signal);
  tell();
  t.false((await other.next()).done);
  const error = await t.throwsAsync(slow.next());
  t.true(isKind(error, 'exhausted'));
});

test('streams end with the daemon', async (t) => {
  const { open, close } = served();
  const next = open(new AbortController().signal).next();
  close();
  t.true(isKind(await t.throwsAsync(next), 'unavailable'));
});
