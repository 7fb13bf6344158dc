import test from 'ava';
import { type Account, type Books, discrepancies, readBooks, readLog, type Suffered } from './ledger.ts';

const nothing: Suffered = { shimKilled: false, stopped: false, startFailed: false };
const books: Books = { starts: ['a'], endings: [3], lines: 2 };
const at = '2026-01-01T00:00:00.000000000Z';
const record = (text: string, tag = 'F'): string => `${at} stdout ${tag} ${text}\n`;
const account: Account = { state: 'CONTAINER_EXITED', exitCode: 3, log: readLog(record('a 1') + record('a 2')) };
const found = (more: { books?: Partial<Books>; account?: Partial<Account>; suffered?: Partial<Suffered> }): string[] =>
  discrepancies('a', { ...books, ...more.books }, { ...account, ...more.account }, { ...nothing, ...more.suffered });

test('an account that says what the books say is right, also with one line more than was noted', (t) => {
  t.deepEqual(found({}), []);
  t.deepEqual(found({ books: { lines: 1 } }), []);
});

test('a lost, a doubled, a foreign and a torn line are found', (t) => {
  t.deepEqual(found({ account: { log: readLog(record('a 1')) } }), ['1 of 2 lines are not in its log']);
  t.deepEqual(found({ account: { log: readLog(record('a 1') + record('a 1') + record('a 2')) } }), ['line 2 of its log is "a 1"']);
  t.deepEqual(found({ account: { log: readLog(record('a 1') + record('b 2')) } }), ['line 2 of its log is "b 2"']);
  t.deepEqual(found({ account: { log: readLog(record('a 1') + record('a 2').slice(0, -1)) } }), [
    '1 of 2 lines are not in its log',
    'its log ends in the middle of a record',
  ]);
  t.deepEqual(found({ books: { lines: 0 } }), ['2 lines in its log, 0 written']);
});

test('a record that is none is shown', (t) => {
  t.deepEqual(found({ account: { log: readLog(`${record('a 1')}${record('a 2')}nonsense\n`) } }), ['malformed log record "nonsense"']);
});

test('what a shell says of a child that was killed is no line of the container', (t) => {
  t.deepEqual(found({ account: { log: readLog(`${record('a 1')}${at} stderr F Killed\n${record('a 2')}`) } }), []);
});

test('partial records join to their line', (t) => {
  t.deepEqual(readLog(record('a', 'P') + record(' 1')), { texts: ['a 1'], malformed: [], torn: false });
  t.true(readLog(record('a', 'P')).torn);
});

test('a code that is not in the books is an exit lost or invented, unless the container was stopped', (t) => {
  t.deepEqual(found({ account: { exitCode: 0 } }), ['exit code 0, its own books say 3']);
  t.deepEqual(found({ books: { endings: [] }, account: { exitCode: 137 } }), ['exit code 137, its own books say no end']);
  t.deepEqual(found({ books: { endings: [] }, account: { exitCode: 137 }, suffered: { stopped: true } }), []);
  t.deepEqual(found({ books: { endings: [] }, account: { exitCode: 0 }, suffered: { stopped: true } }), ['exit code 0, its own books say no end']);
  t.deepEqual(found({ account: { state: 'CONTAINER_RUNNING' } }), ['has ended, but is CONTAINER_RUNNING']);
});

test('where the shim was killed, the end may be unknown and output lost, but what is there is right', (t) => {
  const suffered = { shimKilled: true };
  t.deepEqual(found({ account: { exitCode: 255, log: readLog(record('a 1').slice(0, -3)) }, suffered }), []);
  t.deepEqual(found({ account: { exitCode: 4 }, suffered }), ['exit code 4, its own books say 3']);
  t.deepEqual(found({ account: { log: readLog(record('a 2')) }, suffered }), ['line 1 of its log is "a 2"']);
});

test('a container starts once, under its own name', (t) => {
  t.deepEqual(found({ books: { starts: ['a', 'a'] } }), ['started 2 times']);
  t.deepEqual(found({ books: { starts: ['b'] } }), ['started as b']);
  t.deepEqual(found({ books: { starts: [] } }), ['never started, by its own books']);
  t.deepEqual(found({ books: { starts: [], lines: 0, endings: [] }, account: { exitCode: 137, log: readLog('') }, suffered: { startFailed: true } }), []);
  t.deepEqual(found({ books: { starts: [], lines: 0, endings: [] }, account: { exitCode: 1, log: readLog('') }, suffered: { startFailed: true } }), []);
});

test('a line of the books that is not whole was not written', (t) => {
  t.deepEqual(readBooks('a\n', '12\n3', '1\n2\n3'), { starts: ['a'], endings: [12], lines: 2 });
});
