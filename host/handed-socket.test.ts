import test from 'ava';
import { takeHandedSocket } from './handed-socket.ts';

test('the socket that a service manager hands over is the first descriptor', (t) => {
  t.is(takeHandedSocket({ LISTEN_PID: '7', LISTEN_FDS: '1' }, 7), 3);
});

test('what was told of it goes to no program that is started from here', (t) => {
  const env = { LISTEN_PID: '7', LISTEN_FDS: '1', LISTEN_FDNAMES: 'berth.socket', PATH: '/bin' };
  takeHandedSocket(env, 7);
  t.deepEqual(env as object, { PATH: '/bin' });
});

test('what was handed to another process, or nothing, is not served', (t) => {
  t.is(takeHandedSocket({}, 7), undefined);
  t.is(takeHandedSocket({ LISTEN_PID: '7', LISTEN_FDS: '0' }, 7), undefined);
  t.is(takeHandedSocket({ LISTEN_PID: '8', LISTEN_FDS: '1' }, 7), undefined);
});

test('several handed sockets are refused', (t) => {
  t.throws(() => takeHandedSocket({ LISTEN_PID: '7', LISTEN_FDS: '2' }, 7), { message: /2 sockets were handed over/ });
});
