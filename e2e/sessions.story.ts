import { spawnSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import test from 'ava';
import { crictl } from './harness/crictl.ts';
import { runPod, runScript } from './harness/pod.ts';
import { freePort, until } from './harness/process.ts';
import { held, makePlace, memoryKiB, runSessions, untilHeld } from './harness/sessions.ts';
import { story } from './harness/story.ts';
import { startCrictl } from './harness/streams.ts';

const metricsPort = await freePort();
const stage = story({ daemon: { args: ['--metrics-address', `127.0.0.1:${metricsPort}`] } });

/** What the heap may grow to before it is swept, in KiB; `npm run soak:sessions` runs long enough to see less. */
const roomKiB: Readonly<Record<string, number>> = { berthd: 24_576, 'berth-engine': 512, 'berth-shim': 256 };

async function metric(name: string): Promise<number> {
  const page = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
  return Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(page)?.[1]);
}

test('300 sessions leave no handle, process or memory behind', async (t) => {
  const { daemon } = stage();
  const place = await makePlace(daemon);
  await runSessions(place, 0, 100);
  await sleep(2000);
  const [before, memory] = [held(place), memoryKiB(daemon)];
  await runSessions(place, 0, 300);
  await untilHeld(place, before);
  t.true((await metric('berth_stream_sessions_total')) >= 300);
  t.is(await metric('berth_stream_sessions_open'), 0);
  for (const [name, KiB] of Object.entries(memoryKiB(daemon))) {
    t.true(KiB - (memory[name] ?? 0) < (roomKiB[name] ?? 0), `${name}: ${memory[name]} KiB, then ${KiB}`);
  }
});

test('sessions end with the daemon, and what they ran ends too', async (t) => {
  const { daemon } = stage();
  const container = await runScript(daemon, await runPod(daemon, 'restart'), 'c', 'sleep 100000');
  const clients = ['spdy', 'websocket'].map((transport) =>
    startCrictl(daemon, 'exec', '-i', '-r', transport, container, 'sh', '-c', 'echo up; exec sleep 98765'),
  );
  await until(() => clients.every((client) => client.stdout() === 'up\n'), 60_000, 'both to run');
  await daemon.stop();
  for (const client of clients) {
    t.not(await client.ended, 0);
    t.regex(client.stderr(), /the runtime ends/);
  }
  await until(() => !spawnSync('pgrep', ['-f', 'sleep 98765']).stdout.length, 60_000, 'the commands to be killed');
  await daemon.start();
  t.is((await crictl(daemon, 'exec', container, 'echo', 'again')).stdout, 'again\n');
});
