import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { ExecutionContext } from 'ava';
import type { Pod } from './pod.ts';

const server = `
  const { createServer } = require('node:net');
  const [host, port] = process.argv.slice(1);
  createServer({ allowHalfOpen: true }, (socket) => {
    let all = 'heard ';
    socket.on('error', () => undefined);
    socket.on('data', (bytes) => { if (bytes.toString() === 'now') socket.write(bytes); else all += bytes; });
    socket.on('end', () => socket.end(all));
  }).listen(Number(port), host, () => console.log('ready'));
`;

/**
 * Runs a TCP server in the pod's network for the time of the test. It answers a connection once, with all that came,
 * when that has ended; only the word `now` comes back at once.
 */
export async function echoIn(t: ExecutionContext, pod: Pod, host: string, port: number): Promise<void> {
  const child = spawn('nsenter', [`--net=/run/netns/${pod.id}`, process.execPath, '-e', server, host, `${port}`], {
    stdio: 'pipe',
  });
  t.teardown(() => child.kill('SIGKILL'));
  await once(child.stdout, 'data');
}
