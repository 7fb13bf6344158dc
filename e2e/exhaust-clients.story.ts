import { type ServiceError, status } from '@grpc/grpc-js';
import test from 'ava';
import { exitOf, runPod, runScript } from './harness/pod.ts';
import { story } from './harness/story.ts';

const stage = story();

/** Most clients of GetContainerEvents. */
const MAX_EVENT_CLIENTS = 64;

test('clients of container events beyond the limit are refused by its name, and the next gets its turn when one has gone', async (t) => {
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
