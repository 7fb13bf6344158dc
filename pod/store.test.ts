import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { DatabaseSync } from 'node:sqlite';
import test from 'ava';
import { openStore, type Store } from './store.ts';
import type { Container, Sandbox } from './record.ts';

const quiet = { debug() {}, info() {}, warn() {}, error() {} };

function folder(t: { teardown(undo: () => void): void }): (boot: string) => Store {
  const dir = mkdtempSync(`${tmpdir()}/berth-store-`);
  t.teardown(() => rmSync(dir, { recursive: true }));
  return (boot) => openStore(dir, boot, quiet);
}

test('what this boot wrote is there again, what another boot wrote is not', (t) => {
  const open = folder(t);
  const sandbox = { id: 'a', config: Buffer.from('c') } as Sandbox;
  const first = open('one');
  first.sandboxes.put(sandbox);
  first.close();
  const second = open('one');
  t.deepEqual([...second.sandboxes.all()], [sandbox]);
  second.close();
  const third = open('two');
  t.deepEqual([...third.sandboxes.all()], []);
  third.close();
});

/** `state.db` as the first version of the schema had it. */
const firstVersion = `
  CREATE TABLE sandbox (id TEXT PRIMARY KEY, record TEXT NOT NULL, config BLOB NOT NULL) STRICT;
  CREATE TABLE container (id TEXT PRIMARY KEY, record TEXT NOT NULL, config BLOB NOT NULL) STRICT;
  INSERT INTO sandbox VALUES ('a', '{"id":"a","state":"ready"}', x'63');
  PRAGMA user_version = 1`;

test('the first version of the file is read, and belongs to the boot that it is met in', (t) => {
  const dir = mkdtempSync(`${tmpdir()}/berth-store-`);
  t.teardown(() => rmSync(dir, { recursive: true }));
  const older = new DatabaseSync(`${dir}/state.db`);
  older.exec(firstVersion);
  older.close();
  for (const boot of ['one', 'one', 'two']) {
    const store = openStore(dir, boot, quiet);
    t.deepEqual([...store.sandboxes.all()], boot === 'one' ? [{ id: 'a', state: 'ready', config: Buffer.from('c') } as Sandbox] : []);
    store.close();
  }
});

test('the containers of a sandbox are known by it, as they are now and after a restart', (t) => {
  const open = folder(t);
  const container = (id: string, sandboxId: string) => ({ id, sandboxId, name: 'before', config: Buffer.from('c') }) as Container;
  const first = open('one');
  for (const [id, sandboxId] of [['1', 'a'], ['2', 'b'], ['3', 'a']] as const) first.containers.put(container(id, sandboxId));
  first.containers.put({ ...container('3', 'a'), name: 'after' });
  first.containers.remove('1');
  const known = (store: Store) => ['a', 'b', 'c'].map((id) => store.containersOf(id).map((one) => `${one.id} ${one.name}`));
  t.deepEqual(known(first), [['3 after'], ['2 before'], []]);
  first.close();
  const second = open('one');
  t.deepEqual(known(second), [['3 after'], ['2 before'], []]);
  second.containers.remove('2');
  t.deepEqual(known(second), [['3 after'], [], []]);
  second.close();
});
