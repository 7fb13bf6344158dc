import test from 'ava';
import { errorText, outcomeOf, resizeReader } from './channels.ts';

const ended = { exitCode: 0, signal: 0, timedOut: false };

test('an exit code is told as the kubelet tells it, in the words of each protocol', (t) => {
  const failed = outcomeOf('exec', { ...ended, exitCode: 7 });
  t.deepEqual(JSON.parse(errorText(failed, 'v4.channel.k8s.io').toString()), {
    metadata: {},
    status: 'Failure',
    message: 'command terminated with non-zero exit code: exit status 7',
    reason: 'NonZeroExitCode',
    details: { causes: [{ reason: 'ExitCode', message: '7' }] },
  });
  t.is(errorText(failed, 'channel.k8s.io').toString(), 'command terminated with non-zero exit code: exit status 7');
  t.is(errorText(outcomeOf('exec', ended), 'v5.channel.k8s.io').toString(), '{"metadata":{},"status":"Success"}');
  for (const old of ['', 'channel.k8s.io', 'v2.channel.k8s.io', 'base64.channel.k8s.io']) {
    t.is(errorText(outcomeOf('exec', ended), old).length, 0, old);
  }
});

test('what did not start, was dropped or broke off is an internal error with its cause', (t) => {
  const dropped = outcomeOf('attach', { ...ended, message: 'the client was too slow' });
  const { code, reason, message } = JSON.parse(errorText(dropped, 'v4.base64.channel.k8s.io').toString());
  t.deepEqual([code, reason], [500, 'InternalError']);
  t.is(message, 'Internal error occurred: error attaching to container: the client was too slow');
  t.regex(errorText(outcomeOf('exec', null), 'v3.channel.k8s.io').toString(), /broke off/);
});

test('an attach that ends with its container is a success whatever its exit code', (t) => {
  t.deepEqual(outcomeOf('attach', { ...ended, exitCode: 9 }), { exitCode: 0 });
});

test('sizes are read one after the other, however they are cut and spelled', (t) => {
  const text = '{"Width":80,"Height":24}\n{"height": 7, "width": 9}{"Width":65535,"Height":0}';
  const sizes = [
    { width: 80, height: 24 },
    { width: 9, height: 7 },
    { width: 65_535, height: 0 },
  ];
  for (let step = 1; step <= text.length; step++) {
    const read = resizeReader();
    const found = [];
    for (let at = 0; at < text.length; at += step) found.push(...read(Buffer.from(text.slice(at, at + step))));
    t.deepEqual(found, sizes);
  }
});

test('what is no size is passed over and does not pile up', (t) => {
  const read = resizeReader();
  const wrong = ['{}', '{"Width":-1,"Height":2}', '{"Width":70000,"Height":2}', '{"Width":1}', 'no json', '}}}', '{{{'];
  t.deepEqual(
    wrong.flatMap((text) => read(Buffer.from(text))),
    [],
  );
  for (let i = 0; i < 100; i++) read(Buffer.alloc(10_000, 'x'));
  t.deepEqual(read(Buffer.from('{"Width":1,"Height":2}')), [{ width: 1, height: 2 }]);
});
