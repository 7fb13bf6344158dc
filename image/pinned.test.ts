import test from 'ava';
import { isPinned } from './pinned.ts';
import type { Image } from './records/record.ts';

const image = {
  id: `sha256:${'a'.repeat(64)}`,
  tags: ['registry.k8s.io/pause:3.10', 'quay.io/tools/agent:v1'],
  digests: [`quay.io/tools/agent@sha256:${'b'.repeat(64)}`],
  additionalStore: '',
} as Image;

const cases: [pattern: string, pinned: boolean][] = [
  ['registry.k8s.io/pause:3.10', true],
  ['registry.k8s.io/pause', false],
  ['registry.k8s.io/pause:*', true],
  ['*agent*', true],
  ['quay.io/*/agent@sha256:*', true],
  [image.id, true],
  ['registryXk8s.io/pause:3.10', false],
  ['pause:3.10', false],
  ['', false],
];
for (const [pattern, pinned] of cases) {
  test(`the pattern '${pattern}' ${pinned ? 'pins' : 'does not pin'} it`, (t) => t.is(isPinned(image, [pattern]), pinned));
}

test('one pattern of many is enough, none pins nothing', (t) => {
  t.true(isPinned(image, ['docker.io/*', '*/agent:v1']));
  t.false(isPinned(image, []));
});

test('an image of an additional store is pinned whatever the patterns', (t) => {
  t.true(isPinned({ ...image, additionalStore: '/mnt/store' }, []));
});
