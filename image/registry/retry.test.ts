import test from 'ava';
import { isKind, RuntimeError } from '../../api/errors.ts';
import { RegistryBusy, retryAfterMs, retrying } from './retry.ts';

const nowMs = Date.parse('Sun, 06 Nov 1994 08:49:37 GMT');
const headers: [header: string | undefined, pauseMs: number][] = [
  [undefined, 0],
  ['', 0],
  ['7', 7000],
  [' 120 ', 120_000],
  ['Sun, 06 Nov 1994 08:50:07 GMT', 30_000],
  ['Sun, 06 Nov 1994 08:49:00 GMT', 0],
  ['soon', 0],
  ['-1', 0],
  ['99999999999', 0],
];
for (const [header, pauseMs] of headers) {
  test(`Retry-After: ${header} asks for a pause of ${pauseMs} ms`, (t) => t.is(retryAfterMs(header, nowMs), pauseMs));
}

const signal = new AbortController().signal;
const failing = (error: RuntimeError) => {
  let calls = 0;
  return { calls: () => calls, work: () => Promise.reject(calls++ === 0 ? error : new RuntimeError('denied', 'the second')) };
};

test('the pause that a busy registry asks for is kept', async (t) => {
  const { work, calls } = failing(new RegistryBusy('busy', 700));
  const from = performance.now();
  await t.throwsAsync(retrying(signal, work), { message: 'the second' });
  t.true(performance.now() - from >= 690);
  t.is(calls(), 2);
});

test('a registry that wants to be left alone for an hour is not waited for', async (t) => {
  const { work, calls } = failing(new RegistryBusy('busy', 3_600_000));
  t.true(isKind(await t.throwsAsync(retrying(signal, work)), 'registry-unavailable'));
  t.is(calls(), 1);
});

test('what does not pass by itself is not tried again', async (t) => {
  const { work, calls } = failing(new RuntimeError('corrupt', 'x'));
  await t.throwsAsync(retrying(signal, work), { message: 'x' });
  t.is(calls(), 1);
});
