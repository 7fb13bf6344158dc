import test from 'ava';
import { isKind } from '../../api/errors.ts';
import { openTokens } from './tokens.ts';

test('a token works once and for its time only', (t) => {
  let nowMs = 0;
  const tokens = openTokens<string>({ tokenLifeMs: 1000, maxTokens: 10, now: () => nowMs });
  const [used, old, young] = [tokens.give('used'), tokens.give('old'), ''];
  t.is(tokens.take(used), 'used');
  t.is(tokens.take(used), undefined);
  t.is(tokens.take(young), undefined);
  nowMs = 999;
  const later = tokens.give('later');
  nowMs = 1000;
  t.is(tokens.take(old), undefined);
  t.is(tokens.take(later), 'later');
});

test('tokens cannot be guessed and fit a URL', (t) => {
  const tokens = openTokens<number>({ tokenLifeMs: 1, maxTokens: 1000, now: () => 0 });
  const given = Array.from({ length: 1000 }, (_, i) => tokens.give(i));
  t.is(new Set(given).size, 1000);
  t.true(given.every((token) => /^[\w-]{24}$/.test(token)));
});

test('only so many wait; the old ones make room', (t) => {
  let nowMs = 0;
  const tokens = openTokens<number>({ tokenLifeMs: 1000, maxTokens: 2, now: () => nowMs });
  tokens.give(1);
  tokens.give(2);
  t.true(
    isKind(
      t.throws(() => tokens.give(3)),
      'exhausted',
    ),
  );
  nowMs = 1000;
  t.is(tokens.waiting(), 0);
  t.notThrows(() => tokens.give(4));
  t.is(tokens.waiting(), 1);
});
