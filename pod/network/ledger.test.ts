import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { type LedgerEntry, openLedger } from './ledger.ts';

const quiet = { debug() {}, info() {}, warn() {}, error() {} };

function folder(t: { teardown(undo: () => void): void }): string {
  const dir = mkdtempSync(join(tmpdir(), 'berth-ledger-'));
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

function entry(id: string): LedgerEntry {
  const endpoint = { id, name: 'n', namespace: 'ns', uid: 'u', netnsPath: '', ifName: 'eth0' };
  return { endpoint, network: { name: 'net', cniVersion: '1.0.0', disableGC: false, plugins: [] }, result: null };
}

test('what is noted is found, also by the next daemon, until it is forgotten', async (t) => {
  const dir = folder(t);
  const ledger = await openLedger(dir, quiet);
  ledger.note(entry('a'));
  t.deepEqual(await ledger.find('a'), entry('a'));
  const next = await openLedger(dir, quiet);
  t.deepEqual(await next.entries(), [entry('a')]);
  next.forget('a');
  t.is(await next.find('a'), null);
});

test('an entry that cannot be written leaves no part of itself', async (t) => {
  const dir = folder(t);
  const ledger = await openLedger(dir, quiet);
  mkdirSync(join(dir, 'a.json'));
  ledger.note(entry('a'));
  await ledger.find('a');
  t.deepEqual(readdirSync(dir), ['a.json']);
});

test('what an earlier daemon could not finish writing is removed', async (t) => {
  const dir = folder(t);
  writeFileSync(join(dir, 'a.json.new'), '{"endpoint":');
  await openLedger(dir, quiet);
  t.false(existsSync(join(dir, 'a.json.new')));
});
