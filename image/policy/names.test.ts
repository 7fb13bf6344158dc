import test from 'ava';
import { nameOf } from '../manifest/reference.ts';
import { emptyConf } from '../registry/conf.ts';
import { usedAs } from './names.ts';

const digest = `sha256:${'a'.repeat(64)}`;
const image = { tags: ['quay.io/library/app:1', 'registry.example/app:1'], digests: [`quay.io/library/app@${digest}`] };
const conf = { ...emptyConf, searchRegistries: ['docker.io', 'registry.example'], aliases: { short: 'quay.io/library/app' } };

const cases: [name: string, references: string[]][] = [
  [digest, [...image.tags, ...image.digests]],
  ['a'.repeat(64), [...image.tags, ...image.digests]],
  ['a'.repeat(12), [...image.tags, ...image.digests]],
  ['', [...image.tags, ...image.digests]],
  ['quay.io/library/app:1', ['quay.io/library/app:1']],
  ['app:1', ['registry.example/app:1']],
  ['short:1', ['quay.io/library/app:1']],
  [`quay.io/library/app:2@${digest}`, [`quay.io/library/app@${digest}`]],
  ['quay.io/library/app:2', ['quay.io/library/app:2']],
  ['app:2', ['docker.io/library/app:2']],
];
for (const [name, references] of cases) {
  test(`used as ${name.slice(0, 30) || 'nothing'} an image is ${references.map((each) => each.slice(0, 30)).join(' and ')}`, (t) => {
    t.deepEqual(usedAs(image, name, conf).map(nameOf), references);
  });
}
