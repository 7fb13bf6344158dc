import test from 'ava';
import { isKind } from '../../api/errors.ts';
import { mounts } from '../spec/mounts.ts';
import { specInput } from '../spec/example.ts';
import { containerSpec } from '../spec/spec.ts';
import { declaredVolumes, withVolumes } from './declared-volumes.ts';

const mount = (destination: string) => ({ destination, type: 'bind', source: '/s', options: [] });

test('volumes are made once each, but not the root, not where the kernel is, not where something is mounted', (t) => {
  const declared = ['/data/', 'data', '/', '/../x', '/proc', '/sys/fs', '/devices', '/mnt/deep', '/mnt', '/mntx'];
  t.deepEqual(declaredVolumes(declared, [mount('/mnt')]), ['/data', '/devices', '/mntx', '/x']);
  t.deepEqual(declaredVolumes(['/etc'], mounts(specInput())), ['/etc'], 'files of the pod inside do not matter');
});

test('an image that declares too many volumes is refused', (t) => {
  const error = t.throws(() => declaredVolumes(Array.from({ length: 129 }, (_, at) => `/v${at}`), []), { message: /129 volumes.*--image-volumes/ });
  t.true(isKind(error, 'invalid'));
});

test('bound volumes come before what is mounted inside them', (t) => {
  const { spec } = containerSpec(specInput());
  const destinations = withVolumes(spec, ['/etc'], ['/rootfs/etc']).mounts.map(({ destination }) => destination);
  t.true(destinations.indexOf('/etc') < destinations.indexOf('/etc/hosts'));
});
