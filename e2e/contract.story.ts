import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { specsIn } from './critest/report.ts';
import { repository } from './harness/paths.ts';
import { tool } from './harness/tools.ts';

type Table = { services: object; enums: object; messages: object };

test('our description of the CRI equals the descriptor of the module k8s.io/cri-api', (t) => {
  const theirs = JSON.parse(execFileSync(tool('cridescriptor'), { encoding: 'utf8', maxBuffer: 16 << 20 })) as Table;
  const ours = JSON.parse(readFileSync(join(repository, 'api/cri-v1-fields.json'), 'utf8')) as Table;
  t.deepEqual(ours.services, theirs.services);
  t.deepEqual(ours.enums, theirs.enums);
  t.deepEqual(ours.messages, theirs.messages);
});

test('every spec of critest that the page of the contract names is there', (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'berth-specs-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const report = join(directory, 'report.json');
  execFileSync(tool('critest'), ['--ginkgo.dry-run', '--ginkgo.json-report', report], { cwd: directory, stdio: 'ignore' });
  const known = new Set(specsIn(readFileSync(report, 'utf8')).map((spec) => spec.LeafNodeText));
  const page = readFileSync(join(repository, 'docs/contract.md'), 'utf8');
  const named = [...page.matchAll(/critest ((?:`[^`]+`(?:, )?)+)/g)].flatMap(([, list = '']) => [...list.matchAll(/`([^`]+)`/g)].map(([, title = '']) => title));
  t.true(named.length > 30);
  t.deepEqual(named.filter((title) => !known.has(title)), []);
});
