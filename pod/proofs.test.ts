import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import type { OciRuntime } from '../api/shim.ts';
import { openProofs } from './proofs.ts';

const folder = mkdtempSync(join(tmpdir(), 'berth-proofs-'));
test.after.always(() => rmSync(folder, { recursive: true }));

function runtime(name: string, args: string[] = []): OciRuntime {
  const path = join(folder, name);
  writeFileSync(path, '#!/bin/sh\n');
  return { path, args, root: folder, systemdCgroup: false, sandboxed: false };
}

const native = join(folder, 'native');
writeFileSync(native, '');

test('what a runtime has shown is known to the next daemon of the boot, and to none after it', (t) => {
  const path = join(folder, 'kept.json');
  const runc = runtime('kept');
  openProofs(path, { bootId: 'one', native }).add(runc, { works: true });
  const features = { mountOptions: ['rro'], idMappedMounts: true };
  openProofs(path, { bootId: 'one', native }).add(runc, { features });
  t.deepEqual(openProofs(path, { bootId: 'one', native }).of(runc), { works: true, features });
  t.deepEqual(openProofs(path, { bootId: 'two', native }).of(runc), {});
});

test('a runtime whose file or arguments changed has shown nothing', (t) => {
  const proofs = openProofs(join(folder, 'changed.json'), { bootId: 'one', native });
  const runc = runtime('changed');
  proofs.add(runc, { works: true });
  t.deepEqual(proofs.of({ ...runc, args: ['--debug'] }), {});
  appendFileSync(runc.path, 'exit 1\n');
  t.deepEqual(proofs.of(runc), {});
});

test('a file that is no JSON proves nothing and is replaced', (t) => {
  const path = join(folder, 'torn.json');
  writeFileSync(path, '{"a');
  const runc = runtime('torn');
  const proofs = openProofs(path, { bootId: 'one', native });
  t.deepEqual(proofs.of(runc), {});
  proofs.add(runc, { works: true });
  t.deepEqual(openProofs(path, { bootId: 'one', native }).of(runc), { works: true });
});
