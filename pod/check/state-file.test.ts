import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { DatabaseSync } from 'node:sqlite';
import test, { type ExecutionContext } from 'ava';
import { isKind } from '../../api/errors.ts';
import type { Container, Sandbox } from '../record.ts';
import { openStore } from '../store.ts';
import { readState, rescueState } from './state-file.ts';

const quiet = { debug() {}, info() {}, warn() {}, error() {} };
const sandboxes = Array.from({ length: 200 }, (_, at) => ({ id: `pod-${at}`, name: 'x'.repeat(500), config: Buffer.from('c') }) as Sandbox);
const container = { id: 'c', sandboxId: 'pod-0', config: Buffer.from('d') } as Container;

/** A state directory with these records, left by a daemon of boot `one`. */
function stateOf(t: ExecutionContext): string {
  const dir = mkdtempSync(`${tmpdir()}/berth-state-`);
  t.teardown(() => rmSync(dir, { recursive: true }));
  const store = openStore(dir, 'one', quiet);
  for (const sandbox of sandboxes) store.sandboxes.put(sandbox);
  store.containers.put(container);
  store.close();
  return dir;
}

function change(dir: string, sql: string): void {
  const database = new DatabaseSync(`${dir}/state.db`);
  database.exec(sql);
  database.close();
}

test('the records of this boot are read without a change, those of another boot are none', (t) => {
  const dir = stateOf(t);
  const before = readFileSync(`${dir}/state.db`);
  const { problems, ...read } = readState(dir, 'one');
  t.deepEqual(problems, []);
  t.deepEqual(read, { sandboxes, containers: [container] });
  t.deepEqual(readState(dir, 'two'), { sandboxes: [], containers: [], problems: [] });
  t.deepEqual(readFileSync(`${dir}/state.db`), before);
  t.deepEqual(readState(tmpdir(), 'one'), { sandboxes: [], containers: [], problems: [] });
});

test('a record that cannot be read is named, does not count, and keeps no daemon from starting; mended it is gone', async (t) => {
  const dir = stateOf(t);
  change(dir, "UPDATE sandbox SET record = '{' WHERE id = 'pod-7'; UPDATE sandbox SET record = '{\"id\":\"else\"}' WHERE id = 'pod-8'");
  const { sandboxes: read, problems } = readState(dir, 'one');
  t.is(read.length, 198);
  t.deepEqual(problems.map(({ kind, id }) => [kind, id]), [['state-record', 'pod-7'], ['state-record', 'pod-8']]);
  const logged: unknown[] = [];
  const store = openStore(dir, 'one', { ...quiet, error: (_, fields) => void logged.push(fields?.['id']) });
  t.deepEqual([[...store.sandboxes.all()].length, logged], [198, ['pod-7', 'pod-8']]);
  t.deepEqual(await store.problems(), problems);
  problems.forEach(store.mend);
  t.deepEqual(await store.problems(), []);
  store.close();
  t.is(readState(dir, 'one').sandboxes.length, 198);
});

test('a record damaged under a daemon is written anew as that one knows it', async (t) => {
  const dir = stateOf(t);
  const store = openStore(dir, 'one', quiet);
  change(dir, "UPDATE sandbox SET record = '{' WHERE id = 'pod-7'");
  const problems = await store.problems();
  t.deepEqual(problems.map(({ id }) => id), ['pod-7']);
  problems.forEach(store.mend);
  t.deepEqual(await store.problems(), []);
  store.close();
  t.deepEqual(readState(dir, 'one').sandboxes.length, 200);
});

test('a damaged file is named and refused by a start; a rescue keeps what can be read and puts the file aside', (t) => {
  const dir = stateOf(t);
  const path = `${dir}/state.db`;
  const bytes = readFileSync(path);
  // A page in the middle of the pods' records; the first pages hold the schema.
  const at = bytes.indexOf('"pod-150"') & ~4095;
  bytes.fill(0xff, at, at + 4096);
  writeFileSync(path, bytes);
  const [problem] = readState(dir, 'one').problems;
  t.like(problem, { kind: 'state-file', path });
  t.true(isKind(t.throws(() => openStore(dir, 'one', quiet), { message: /state\.db is damaged .*: berth check --offline --repair/ }), 'corrupt'));
  rescueState(dir, 'one');
  t.true(existsSync(`${path}.broken`));
  const rescued = readState(dir, 'one');
  t.deepEqual(rescued.problems, []);
  t.true(rescued.sandboxes.length > 0 && rescued.sandboxes.length < 200);
  t.deepEqual(rescued.containers, [container]);
  openStore(dir, 'one', quiet).close();
});

test('a file that is no database at all is rescued to an empty one', (t) => {
  const dir = stateOf(t);
  writeFileSync(`${dir}/state.db`, 'x'.repeat(8192));
  t.is(readState(dir, 'one').problems[0]?.kind, 'state-file');
  rescueState(dir, 'one');
  t.deepEqual(readState(dir, 'one'), { sandboxes: [], containers: [], problems: [] });
});
