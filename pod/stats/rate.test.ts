import test from 'ava';
import { counterRates } from './rate.ts';

const second = 1_000_000_000n;

test('the first reading gives the rate since the counter began', (t) => {
  const rates = counterRates();
  t.is(rates.perSecond('a', { atNs: 5n * second, value: 400n }, second), 100n);
  t.is(rates.perSecond('b', { atNs: second, value: 400n }, second), 0n);
});

test('later readings give the rate between them, those close together keep the last one', (t) => {
  const rates = counterRates();
  rates.perSecond('a', { atNs: second, value: 100n }, 0n);
  t.is(rates.perSecond('a', { atNs: 3n * second, value: 500n }, 0n), 200n);
  t.is(rates.perSecond('a', { atNs: 3n * second + 1n, value: 900n }, 0n), 200n);
});

test('a counter that fell has begun anew', (t) => {
  const rates = counterRates();
  rates.perSecond('a', { atNs: second, value: 100n }, 0n);
  t.is(rates.perSecond('a', { atNs: 3n * second, value: 10n }, 2n * second), 10n);
});

test('forgotten ids start afresh', (t) => {
  const rates = counterRates();
  rates.perSecond('a', { atNs: second, value: 100n }, 0n);
  rates.keep(new Set());
  t.is(rates.perSecond('a', { atNs: 3n * second, value: 300n }, 2n * second), 300n);
});

test('a clock that is set back costs one reading, not the hour', (t) => {
  const rates = counterRates();
  rates.perSecond('a', { atNs: 10_000n * second, value: 0n }, 0n);
  t.is(rates.perSecond('a', { atNs: 10_001n * second, value: 5n }, 0n), 5n);
  t.is(rates.perSecond('a', { atNs: 6_402n * second, value: 9n }, 0n), 5n);
  t.is(rates.perSecond('a', { atNs: 6_403n * second, value: 11n }, 0n), 2n);
});
