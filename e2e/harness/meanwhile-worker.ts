import { setTimeout as sleep } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { connectCri } from './cri.ts';

/** Pause between two calls, in milliseconds: the client is no load of its own. */
const PAUSE_MS = 2;

const cri = connectCri(workerData as string);
const waits: number[] = [];
let ended = false;
parentPort?.once('message', () => (ended = true));
await cri.call('Version', {});
parentPort?.postMessage('begun');
while (!ended) {
  const fromMs = performance.now();
  await cri.call('Version', {});
  waits.push(performance.now() - fromMs);
  await sleep(PAUSE_MS);
}
parentPort?.postMessage(waits);
