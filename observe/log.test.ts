import { PassThrough } from 'node:stream';
import test from 'ava';
import { type LogOptions, openLog } from './log.ts';

function opened(options: Omit<LogOptions, 'stream'>): { log: ReturnType<typeof openLog>; written: () => string } {
  const stream = new PassThrough();
  return { log: openLog({ ...options, stream }), written: () => String(stream.read() ?? '') };
}

test('text: time, level, message and fields on one line, whatever they contain', (t) => {
  const { log, written } = opened({ level: 'info', format: 'text' });
  log.info('pod is ready\n2026 ERROR forged', { id: 'ab12', name: 'web 1', bytes: 12n, absent: undefined });
  t.regex(written(), /^\d{4}-\d\d-\d\dT[\d:.]+Z INFO {2}pod is ready\\n2026 ERROR forged id=ab12 name="web 1" bytes=12\n$/);
});

test('json: one object per line', (t) => {
  const { log, written } = opened({ level: 'debug', format: 'json' });
  log.debug('pulled', { bytes: 9007199254740993n, request: '3fa2-17' });
  const { time, ...rest } = JSON.parse(written());
  t.is(new Date(time).toISOString(), time);
  t.deepEqual(rest, { level: 'debug', message: 'pulled', bytes: '9007199254740993', request: '3fa2-17' });
});

test('messages below the level are dropped', (t) => {
  const { log, written } = opened({ level: 'warn', format: 'text' });
  log.info('no');
  log.debug('no');
  t.is(written(), '');
  log.error('yes');
  t.regex(written(), /ERROR yes/);
});

test('secrets do not reach the log', (t) => {
  const { log, written } = opened({ level: 'info', format: 'json' });
  log.info('connecting to nats://me:hunter2@host:4222', {
    password: 'hunter2', registryToken: 'hunter2', auth: 'hunter2', url: 'https://me:hunter2@registry/v2/', author: 'kept',
  });
  const line = written();
  t.false(line.includes('hunter2'));
  t.true(line.includes('https://[hidden]@registry/v2/'));
  t.true(line.includes('"author":"kept"'));
});
