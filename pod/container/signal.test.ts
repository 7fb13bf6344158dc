import test from 'ava';
import { signalNumber, stopSignalNumber } from './signal.ts';

for (const [text, number] of [
  ['SIGTERM', 15], ['term', 15], ['9', 9], ['SIGRTMIN', 34], ['SIGRTMIN+3', 37], ['RTMAX-1', 63], ['SIGCLD', 17],
] as const) {
  test(`${text} is signal ${number}`, (t) => t.is(signalNumber(text), number));
}

test('the container’s own stop signal wins, then the image’s, then SIGTERM', (t) => {
  t.is(stopSignalNumber('SIGNAL_SIGRTMINPLUS3', 'SIGQUIT'), 37);
  t.is(stopSignalNumber('SIGNAL_SIGRTMAXMINUS2', ''), 62);
  t.is(stopSignalNumber('SIGNAL_RUNTIME_DEFAULT', 'SIGQUIT'), 3);
  t.is(stopSignalNumber('SIGNAL_RUNTIME_DEFAULT', ''), 15);
});

for (const text of ['SIGNOPE', '0', '65', 'RTMIN+99', '']) {
  test(`"${text}" is refused`, (t) => void t.throws(() => signalNumber(text), { message: /is not known/ }));
}
