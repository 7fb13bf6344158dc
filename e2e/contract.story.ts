import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
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
