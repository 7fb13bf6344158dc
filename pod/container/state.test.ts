import test from 'ava';
import type { Container } from '../record.ts';
import { after } from './state.ts';

const exit = { exitCode: 3, signal: 0, oomKilled: false, finishedAtNs: '9' };
const creating: Container = {
  id: 'c', sandboxId: 's', handler: '', cgroupParent: '/p', state: 'creating', name: 'n', attempt: 0, labels: {}, annotations: {}, imageId: 'i', imageRef: 'r', imageVolumes: [],
  config: Buffer.alloc(0), createdAtNs: '1', startedAtNs: '0', exit: null, exitSeq: 0, message: '', pid: 0, logPath: '',
  user: { uid: 0, gid: 0, groups: [] }, stopSignal: 15,
};

test('the usual life: creating, created, running, exited', (t) => {
  const created = after(creating, { type: 'created', pid: 7 });
  t.is(created.state, 'created');
  const running = after(created, { type: 'started', atNs: '5' });
  t.is(running.state, 'running');
  const exited = after(running, { type: 'exited', exit, seq: 4 });
  t.is(exited.state, 'exited');
  t.deepEqual(exited.exit, exit);
  t.is(exited.exitSeq, 4);
});

test('an exit told before the creation or the start is kept', (t) => {
  const early = after(creating, { type: 'exited', exit, seq: 4 });
  t.is(early.state, 'creating');
  t.is(after(early, { type: 'created', pid: 7 }).state, 'exited');
  const overtaken = after(after(after(creating, { type: 'created', pid: 7 }), { type: 'exited', exit, seq: 4 }), { type: 'started', atNs: '5' });
  t.is(overtaken.state, 'exited');
  t.is(overtaken.startedAtNs, '5');
});

test('an end is final: a second one changes nothing', (t) => {
  const exited = after(after(creating, { type: 'created', pid: 7 }), { type: 'exited', exit, seq: 4 });
  t.is(after(exited, { type: 'exited', exit: { ...exit, exitCode: 0 }, seq: 5 }), exited);
  t.is(after(exited, { type: 'lost', message: 'x', atNs: '10' }), exited);
});

test('a lost container ends with an unknown code and says why', (t) => {
  const lost = after(after(creating, { type: 'created', pid: 7 }), { type: 'lost', message: 'shim ended', atNs: '10' });
  t.is(lost.state, 'exited');
  t.is(lost.exit?.exitCode, 255);
  t.is(lost.message, 'shim ended; nobody knows its exit code');
  t.is(after(after(creating, { type: 'created', pid: 7 }), { type: 'lost', message: 'killed', atNs: '10', exit }).exit, exit);
});

test('an end is never before the start, however the clock was set between them', (t) => {
  const running = after(after(creating, { type: 'created', pid: 7 }), { type: 'started', atNs: '50' });
  t.is(after(running, { type: 'exited', exit: { ...exit, finishedAtNs: '9' }, seq: 4 }).exit?.finishedAtNs, '50');
  t.is(after(running, { type: 'exited', exit: { ...exit, finishedAtNs: '51' }, seq: 4 }).exit?.finishedAtNs, '51');
});
