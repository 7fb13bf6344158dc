import test from 'ava';
import { counterRates } from './rate.ts';

const second = 1_000_000_000n;

test('two readings give a rate, readings close together keep the last one', (t) => {
  const rates = counterRates();
  t.is(rates.perSecond('a', { atNs: second, value: 100n }), 0n);
  t.is(rates.perSecond('a', { atNs: 3n * second, value: 300n }), 100n);
  t.is(rates.perSecond('a', { atNs: 3n * second + 1n, value: 900n }), 100n);
});

test('a counter that fell belongs to something new', (t) => {
  const rates = counterRates();
  rates.perSecond('a', { atNs: second, value: 100n });
  t.is(rates.perSecond('a', { atNs: 3n * second, value: 1n }), 0n);
});

test('forgotten ids start afresh', (t) => {
  const rates = counterRates();
  rates.perSecond('a', { atNs: second, value: 100n });
  rates.keep(new Set());
  t.is(rates.perSecond('a', { atNs: 3n * second, value: 300n }), 0n);
});
