import { connect } from 'node:net';
import { type ServiceError, status } from '@grpc/grpc-js';
import test from 'ava';
import { connectCri } from './harness/cri.ts';
import { textOf } from './harness/files.ts';
import { exitOf, runPod, runScript } from './harness/pod.ts';
import { until } from './harness/process.ts';
import { story } from './harness/story.ts';

const stage = story();

/** Most clients of GetContainerEvents. */
const MAX_EVENT_CLIENTS = 64;

/** Most clients of the CRI socket. */
const MAX_CONNECTIONS = 512;

test.serial('clients of container events beyond the limit are refused by its name, and the next gets its turn when one has gone', async (t) => {
  const { daemon } = stage();
  const heard = (client: ReturnType<typeof daemon.cri.stream>): Promise<ServiceError | undefined> =>
    new Promise((resolve) => {
      client.once('metadata', () => resolve(undefined));
      client.on('error', resolve);
    });
  const clients = Array.from({ length: MAX_EVENT_CLIENTS }, () => daemon.cri.stream('GetContainerEvents', {}));
  t.deepEqual((await Promise.all(clients.map(heard))).filter((error) => error !== undefined), []);
  const refused = await heard(daemon.cri.stream('GetContainerEvents', {}));
  t.is(refused?.code, status.RESOURCE_EXHAUSTED);
  t.regex(refused?.details ?? '', /too many clients read container events: end some of them \(limit maxEventClients, 64\)/);
  // None of them reads; pods go on.
  t.is((await exitOf(daemon, await runScript(daemon, await runPod(daemon, 'unheard'), 'c', 'exit 3'))).exit_code, 3);
  const [first] = clients;
  first?.cancel();
  let next: ServiceError | undefined;
  do {
    const client = daemon.cri.stream('GetContainerEvents', {});
    clients.push(client);
    next = await heard(client);
  } while (next?.code === status.RESOURCE_EXHAUSTED);
  t.is(next, undefined);
  for (const client of clients) client.cancel();
});

test.serial('clients of the CRI socket beyond the limit are turned away by its name, those there are served, and the next when some have gone', async (t) => {
  const { daemon } = stage();
  await daemon.cri.call('Version', {});
  const clients = Array.from({ length: MAX_CONNECTIONS }, () => connect(daemon.socket).on('error', () => undefined));
  t.teardown(() => {
    for (const client of clients) client.destroy();
  });
  await Promise.race(clients.map((client) => new Promise((resolve) => client.resume().once('close', resolve))));
  await daemon.cri.call('Version', {});
  const told = `a client of the CRI socket is turned away: too many maxConnections=${MAX_CONNECTIONS}`;
  await until(async () => textOf(daemon.logPath).includes(told), 60_000, 'the log to say so');
  t.pass();
  for (const client of clients) client.destroy();
  const next = connectCri(daemon.socket, { ownConnection: true });
  t.teardown(next.close);
  await until(() => next.call('Version', {}).then(() => true, () => false), 60_000, 'the next to be served');
});
