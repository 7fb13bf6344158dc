import test from 'ava';
import { countersIn } from './inside.ts';

test('what a runtime prints of a container in its sandbox is read, parts that it does not know are none', (t) => {
  const printed = '{"type":"stats","id":"a","data":{"cpu":{"usage":{"total":580112724}},"memory":{"usage":{"limit":0,"usage":5533696}},"pids":{"current":2}}}\n';
  const memory = { memoryUsageBytes: '5533696', workingSetBytes: '5533696', rssBytes: '5533696' };
  t.deepEqual(countersIn(printed), { cpuUsageNs: '580112724', ...memory, pids: '2' });
  t.like(countersIn('{"data":{"cpu":{"usage":{"total":"x"}}}}'), { cpuUsageNs: '0', memoryUsageBytes: '0', pids: '0' });
});

test('what is no such thing tells nothing', (t) => {
  for (const text of ['', 'no such container', 'null', '{}', '{"data":{}}', '[1]']) t.is(countersIn(text), null, text);
});
