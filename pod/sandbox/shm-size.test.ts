import test from 'ava';
import { shmSizeBytes } from './shm-size.ts';

const sizeOf = (text: string): number => shmSizeBytes({ 'io.kubernetes.cri-o.ShmSize': text });

test('the size of /dev/shm is 64 MiB unless the pod is annotated with a quantity', (t) => {
  t.is(shmSizeBytes({}), 64 << 20);
  t.deepEqual(['1024', '128Mi', '1G', '0.5Ki'].map(sizeOf), [1024, 128 << 20, 1e9, 512]);
});

test('what is no size is refused', (t) => {
  for (const text of ['', '0', '-1Mi', '1Qi', '1 Gi', 'Mi', '99999999Ti']) {
    t.throws(() => sizeOf(text), { message: /ShmSize .* is no size/ }, text);
  }
});
