import test from 'ava';
import { mountsRecursiveReadOnly, noFeatures, readFeatures, userNamespaceObstacle } from './runtime-features.ts';

test('mount options are taken from what a runtime prints', (t) => {
  const features = readFeatures('{"ociVersionMin":"1.0.0","mountOptions":["ro","rro"],"linux":{}}');
  t.deepEqual(features, { mountOptions: ['ro', 'rro'], idMappedMounts: false });
  t.true(mountsRecursiveReadOnly(features));
  t.false(mountsRecursiveReadOnly(readFeatures('{"mountOptions":["ro"]}')));
});

test('a runtime that does not know the verb, or prints something else, has no features', (t) => {
  for (const text of ['', 'unknown command', 'null', '[]', '{"mountOptions":"rro"}', '{"mountOptions":[1]}']) {
    t.deepEqual(readFeatures(text), noFeatures, text);
  }
});

test('user namespaces take mapped ids, of images by the host and of volumes by the runtime', (t) => {
  const able = readFeatures('{"linux":{"mountExtensions":{"idmap":{"enabled":true}}}}');
  t.is(userNamespaceObstacle(able, ''), '');
  t.is(userNamespaceObstacle(able, 'no such kernel'), 'no such kernel');
  for (const text of ['{}', '{"linux":null}', '{"linux":{"mountExtensions":{"idmap":{"enabled":false}}}}']) {
    t.regex(userNamespaceObstacle(readFeatures(text), ''), /OCI runtime/, text);
  }
});
