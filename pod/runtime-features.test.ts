import test from 'ava';
import { mountsRecursiveReadOnly, noFeatures, readFeatures } from './runtime-features.ts';

test('mount options are taken from what a runtime prints', (t) => {
  const features = readFeatures('{"ociVersionMin":"1.0.0","mountOptions":["ro","rro"],"linux":{}}');
  t.deepEqual(features, { mountOptions: ['ro', 'rro'] });
  t.true(mountsRecursiveReadOnly(features));
  t.false(mountsRecursiveReadOnly(readFeatures('{"mountOptions":["ro"]}')));
});

test('a runtime that does not know the verb, or prints something else, has no features', (t) => {
  for (const text of ['', 'unknown command', 'null', '[]', '{"mountOptions":"rro"}', '{"mountOptions":[1]}']) {
    t.deepEqual(readFeatures(text), noFeatures, text);
  }
});
