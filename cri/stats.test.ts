import test from 'ava';
import { decode, encode } from '../api/cri.ts';
import { psi } from './stats.ts';

test('pressure reaches the kubelet in nanoseconds, with its averages; without any there is none', (t) => {
  const pressure = {
    some: { total: '9007199254740993', avg10: 1.25, avg60: 2.5, avg300: 96.4 },
    full: { total: '7', avg10: 0, avg60: 0.5, avg300: 0 },
  };
  t.deepEqual(decode('PsiStats', encode('PsiStats', psi(pressure) ?? {})), {
    Some: { Total: '9007199254740993000', Avg10: 1.25, Avg60: 2.5, Avg300: 96.4 },
    Full: { Total: '7000', Avg10: 0, Avg60: 0.5, Avg300: 0 },
  });
  t.is(psi(undefined), null);
});
