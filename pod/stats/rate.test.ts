import test from 'ava';
import { counterRates } from './rate.ts';

const second = 1_000_000_000n;

test('the first reading gives the rate since the counter began', (t) => {
  const rates = counterRates();
  t.is(rates.perSecond('a', { atNs: 5n * second, value: 400n }, 4n * second), 100n);
  t.is(rates.perSecond('b', { atNs: second, value: 400n }, 0n), 0n);
  t.is(rates.perSecond('c', { atNs: second, value: 400n }, -3600n * second), 0n, 'the clock was set back after its birth');
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
  t.is(rates.perSecond('a', { atNs: 3n * second, value: 10n }, second), 10n);
});

test('forgotten ids start afresh', (t) => {
  const rates = counterRates();
  rates.perSecond('a', { atNs: second, value: 100n }, 0n);
  rates.keep(new Set());
  t.is(rates.perSecond('a', { atNs: 3n * second, value: 300n }, second), 300n);
});

test('a clock that is set either way changes no rate, as it says only how old a counter is', (t) => {
  const rates = counterRates();
  rates.perSecond('a', { atNs: 10n * second, value: 0n }, 5n * second);
  t.is(rates.perSecond('a', { atNs: 11n * second, value: 5n }, 3606n * second), 5n);
  t.is(rates.perSecond('a', { atNs: 12n * second, value: 12n }, -3593n * second), 7n);
});

test('a reading that comes after a later one changes nothing', (t) => {
  const rates = counterRates();
  rates.perSecond('a', { atNs: 2n * second, value: 0n }, second);
  t.is(rates.perSecond('a', { atNs: 4n * second, value: 10n }, 3n * second), 5n);
  t.is(rates.perSecond('a', { atNs: 3n * second, value: 6n }, 2n * second), 5n);
  t.is(rates.perSecond('a', { atNs: 5n * second, value: 13n }, 4n * second), 3n);
});
