import test from 'ava';
import { type Done, isPossible, type Slot } from './slot.ts';

const none: Slot = { pod: null, containers: {} };
const ready: Slot = { pod: { id: 'p', ready: true }, containers: {} };
const stopped: Slot = { pod: { id: 'p', ready: false }, containers: {} };
const holding = (state: 'created' | 'running' | 'exited'): Slot => ({ ...ready, containers: { c: { id: 'k', state } } });
const known = new Set(['p', 'k']);
const run = (value: string): Done => ({ ask: { do: 'run' }, reply: { value } });
const possible = (before: Slot, done: Done[], after: Slot): boolean => isPossible(before, done, after, known);

test('two clients that run the same pod get the same one', (t) => {
  t.true(possible(none, [run('n'), run('n')], { pod: { id: 'n', ready: true }, containers: {} }));
  t.false(possible(none, [run('n'), run('m')], { pod: { id: 'n', ready: true }, containers: {} }));
  t.false(possible(none, [run('p')], ready), 'an id given out before');
});

test('a run beside a removal gets the old pod, a refusal between, or a new pod', (t) => {
  const remove: Done = { ask: { do: 'removePod', id: 'p' }, reply: { value: '' } };
  t.true(possible(ready, [run('p'), remove], none));
  t.true(possible(ready, [{ ask: { do: 'run' }, reply: { code: 'ALREADY_EXISTS' } }, remove], none));
  t.true(possible(ready, [run('n'), remove], { pod: { id: 'n', ready: true }, containers: {} }));
  t.false(possible(ready, [run('p'), remove], ready), 'the removal had no effect');
});

test('a start beside a stop is carried out before it or refused after it', (t) => {
  const stop: Done = { ask: { do: 'stop', id: 'k' }, reply: { value: '' } };
  const start = (reply: Done['reply']): Done => ({ ask: { do: 'start', id: 'k' }, reply });
  t.true(possible(holding('created'), [start({ value: '' }), stop], holding('exited')));
  t.true(possible(holding('created'), [start({ code: 'FAILED_PRECONDITION' }), stop], holding('exited')));
  t.false(possible(holding('created'), [start({ value: '' }), stop], holding('running')));
  t.false(possible(holding('created'), [start({ value: '' }), start({ value: '' })], holding('running')), 'started twice');
});

test('an internal error is never right', (t) => {
  t.false(possible(stopped, [{ ask: { do: 'create', pod: 'p', name: 'c' }, reply: { code: 'INTERNAL' } }], stopped));
  t.false(possible(ready, [{ ask: { do: 'stopPod', id: 'p' }, reply: { code: 'INTERNAL' } }], stopped));
});
