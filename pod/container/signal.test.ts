import test from 'ava';
import { signalName, signalNumber, stopSignalNumber } from './signal.ts';

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

test('every signal has one name of the CRI, which means its number', (t) => {
  const names = Array.from({ length: 64 }, (_, before) => before + 1).filter((number) => number < 32 || number > 33).map((number) => [number, signalName(number)] as const);
  t.deepEqual(names.filter(([number, name]) => stopSignalNumber(name, '') !== number), []);
  t.deepEqual([6, 15, 17, 29, 34, 37, 50, 63, 64].map(signalName), [
    'SIGNAL_SIGABRT', 'SIGNAL_SIGTERM', 'SIGNAL_SIGCHLD', 'SIGNAL_SIGIO', 'SIGNAL_SIGRTMIN', 'SIGNAL_SIGRTMINPLUS3',
    'SIGNAL_SIGRTMAXMINUS14', 'SIGNAL_SIGRTMAXMINUS1', 'SIGNAL_SIGRTMAX',
  ]);
});
