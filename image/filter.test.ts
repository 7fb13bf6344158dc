import test from 'ava';
import { imageFilter } from './filter.ts';
import { imageRecord } from './fixtures/record.ts';

const digest = `sha256:${'d'.repeat(64)}`;
const old = imageRecord('1', {
  tags: ['docker.io/library/busybox:1.36'], digests: [`docker.io/library/busybox@${digest}`],
  config: { created: '2020-01-01T00:00:00Z', labels: { tier: 'base' } },
});
const middle = imageRecord('2', { tags: ['127.0.0.1:5000/team/app:v1'], config: { created: '2021-01-01T00:00:00.5Z', labels: { tier: 'app', x: '' } } });
const untagged = imageRecord('3', { digests: [`quay.io/other@${digest}`], config: { created: '2022-01-01T00:00:00+02:00' } });
const silent = imageRecord('4', { tags: ['quay.io/silent:1'] });
const all = [old, middle, untagged, silent];

const find = (reference: string) => all.find(({ id, tags }) => id === reference || tags.includes(reference));
const passing = (...filters: string[]): string[] => all.filter(imageFilter(filters, find)).map(({ id }) => id.slice(7, 8));

test('without filters every image passes', (t) => {
  t.deepEqual(passing(), ['1', '2', '3', '4']);
});

test('dangling images are those without a tag', (t) => {
  t.deepEqual(passing('dangling=true'), ['3']);
  t.deepEqual(passing('dangling=false'), ['1', '2', '4']);
});

test('before and since go by when images were built; one that does not say is the oldest', (t) => {
  t.deepEqual(passing('before=127.0.0.1:5000/team/app:v1'), ['1', '4']);
  t.deepEqual(passing('since=127.0.0.1:5000/team/app:v1'), ['3']);
  t.deepEqual(passing(`since=${old.id}`, `before=${untagged.id}`), ['2']);
});

test('labels are asked for by key or by key and value, and all must be there', (t) => {
  t.deepEqual(passing('label=tier'), ['1', '2']);
  t.deepEqual(passing('label=tier=app'), ['2']);
  t.deepEqual(passing('label=tier', 'label=x='), ['2']);
  t.deepEqual(passing('label=toString'), []);
});

test('a reference matches the whole name or the short one, with or without tag, and one of several is enough', (t) => {
  for (const reference of ['docker.io/library/busybox:1.36', 'busybox:1.36', 'busybox', '*box*', `busybox@${digest}`])
    t.deepEqual(passing(`reference=${reference}`), ['1'], reference);
  t.deepEqual(passing('reference=127.0.0.1:5000/team/app'), ['2']);
  t.deepEqual(passing('reference=127.0.0.1'), []);
  t.deepEqual(passing('reference=quay.io/*'), ['3', '4']);
  t.deepEqual(passing('reference=busybox', 'reference=quay.io/*', 'dangling=false'), ['1', '4']);
});

test('a filter that is none is refused with those that there are, and so is an image that is not here', (t) => {
  for (const filter of ['dangling', 'dangling=', 'colour=red', 'toString=x', '=x', ''])
    t.throws(() => passing(filter), { message: /is no filter of images; there are dangling=…, before=…, since=…, label=…, reference=…/ }, filter);
  t.throws(() => passing('dangling=maybe'), { message: /must be true or false/ });
  t.throws(() => passing('before=absent'), { message: /names an image that is not here/ });
});
