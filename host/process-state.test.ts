import test from 'ava';
import { processState } from './process-state.ts';

test('a process is told by its number, name and state, one that is gone as gone', (t) => {
  t.regex(processState(process.pid), new RegExp(`^process ${process.pid} \\(.+\\) is in state [RS] \\(\\w+\\)`));
  t.regex(processState(0x7fffffff), /^process 2147483647 is gone/);
});
