import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import test from 'ava';
import { openStore, type Store } from './store.ts';
import type { Sandbox } from './record.ts';

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
