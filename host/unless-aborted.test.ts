import test from 'ava';
import { unlessAborted } from './unless-aborted.ts';

test('work comes to its result or its failure while nothing aborts', async (t) => {
  const { signal } = new AbortController();
  t.is(await unlessAborted(Promise.resolve(7), signal), 7);
  await t.throwsAsync(unlessAborted(Promise.reject(new Error('broken')), signal), { message: 'broken' });
});

test('an abort, earlier or later, ends the wait with its reason; a failure of the work afterwards is nobody\'s surprise', async (t) => {
  const gone = new AbortController();
  const works = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const waiting = unlessAborted(works[0]!.promise, gone.signal);
  gone.abort(new Error('gone'));
  await t.throwsAsync(waiting, { message: 'gone' });
  await t.throwsAsync(unlessAborted(works[1]!.promise, gone.signal), { message: 'gone' });
  // ava fails a file with a rejection that nobody handles.
  for (const { reject } of works) reject(new Error('too late'));
  await new Promise(setImmediate);
});
