import test from 'ava';
import { createFlights, waitFor } from './flights.ts';

test('work of one key is done once for all who ask while it runs', async (t) => {
  const flights = createFlights<number>();
  let runs = 0;
  const work = async (): Promise<number> => ++runs;
  const [a, b] = [flights.join('k', work), flights.join('k', work)];
  t.deepEqual([await a.result, await b.result], [1, 1]);
  await Promise.all([a.leave(), b.leave()]);
  t.is(await flights.join('k', work).result, 2);
});

test('work goes on when one of two leaves and ends when the last does', async (t) => {
  const flights = createFlights<void>();
  let signal: AbortSignal | undefined;
  const work = (given: AbortSignal): Promise<void> => {
    signal = given;
    return new Promise((_, reject) => given.addEventListener('abort', () => reject(new Error('ended'))));
  };
  const [a, b] = [flights.join('k', work), flights.join('k', work)];
  void a.leave();
  void a.leave();
  t.false(signal?.aborted);
  const ended = b.leave();
  t.true(signal?.aborted);
  await t.throwsAsync(b.result, { message: 'ended' });
  await ended;
});

test('a failure is not kept for those who come later', async (t) => {
  const flights = createFlights<number>();
  const failed = flights.join('k', () => Promise.reject(new Error('no')));
  await t.throwsAsync(failed.result);
  const next = flights.join('k', () => Promise.resolve(1));
  await failed.leave();
  t.is(await next.result, 1);
});

test('a result is discarded when its last holder leaves, and close waits for that', async (t) => {
  const discarded: number[] = [];
  const flights = createFlights<number>(async (value) => void discarded.push(value));
  const flight = flights.join('k', () => Promise.resolve(7));
  await flight.result;
  t.deepEqual(discarded, []);
  void flight.leave();
  await flights.close();
  t.deepEqual(discarded, [7]);
});

test('waiting ends with the reason of the signal', async (t) => {
  const flights = createFlights<void>();
  const abort = new AbortController();
  const flight = flights.join('k', () => Promise.withResolvers<void>().promise);
  const waiting = waitFor(flight, abort.signal);
  abort.abort(new Error('deadline'));
  await t.throwsAsync(waiting, { message: 'deadline' });
});
