import test from 'ava';
import type { LifecycleEvent } from '../api/events.ts';
import { openEvents } from './events.ts';

const silent = { debug() {}, info() {}, warn() {}, error() {} };
const ready: LifecycleEvent = { type: 'pod.ready', atNs: 1n };
const stopped: LifecycleEvent = { type: 'pod.stopped', atNs: 2n };

test('every listener gets every event in order until it unsubscribes', (t) => {
  const events = openEvents(silent);
  const seen: string[] = [];
  const stop = events.subscribe((event) => seen.push(`a ${event.type}`));
  events.subscribe((event) => seen.push(`b ${event.type}`));
  events.publish(ready);
  stop();
  events.publish(stopped);
  t.deepEqual(seen, ['a pod.ready', 'b pod.ready', 'b pod.stopped']);
});

test('a listener that throws harms neither the publisher nor the others, and is logged', (t) => {
  const errors: string[] = [];
  const events = openEvents({ ...silent, error: (message, fields) => errors.push(`${message}: ${fields?.['error']}`) });
  const seen: string[] = [];
  events.subscribe(() => {
    throw new Error('broken');
  });
  events.subscribe((event) => seen.push(event.type));
  t.notThrows(() => events.publish(ready));
  t.deepEqual(seen, ['pod.ready']);
  t.deepEqual(errors, ['a listener failed on a lifecycle event: Error: broken']);
});
