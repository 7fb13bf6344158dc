import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { crictl } from './crictl.ts';
import type { Daemon } from './daemon.ts';
import { below, namesIn, textOf } from './files.ts';
import { ownProcesses } from './leaks.ts';
import { exec, type Pod, runPod, runScript } from './pod.ts';
import { until } from './process.ts';
import { openSocket } from './streams.ts';

/** Where sessions come and go: a pod with a web server on port 8080 and a container to run commands in. */
export type Place = { readonly daemon: Daemon; readonly pod: Pod; readonly container: string };

export async function makePlace(daemon: Daemon): Promise<Place> {
  const pod = await runPod(daemon, 'sessions');
  const container = await runScript(daemon, pod, 'c', 'httpd -f -p 127.0.0.1:8080 & exec sleep 1000000');
  return { daemon, pod, container };
}

/** Sessions number `from` to `to`, eight at a time; throws at the first that does not say what it should. */
export async function runSessions(place: Place, from: number, to: number): Promise<void> {
  let next = from;
  const work = async (): Promise<void> => {
    while (next < to) {
      const number = next++;
      const said = await session(place, number);
      if (said !== 'done\n') throw new Error(`session ${number} said ${JSON.stringify(said)}`);
    }
  };
  await Promise.all(Array.from({ length: 8 }, work));
}

/** One of the ways in which a session comes and goes; returns what it said, `done` when all went well. */
async function session(place: Place, number: number): Promise<string> {
  const { daemon, container } = place;
  const ways = [
    async () => (await crictl(daemon, 'exec', container, 'echo', 'done')).stdout,
    async () => (await crictl(daemon, 'exec', '-r', 'websocket', container, 'echo', 'done')).stdout,
    async () => (await exec(daemon, container, 'echo done')).stdout,
    leaveMidway,
    neverCome,
    attach,
    terminal,
    forward,
    forwardToNobody,
  ];
  return await (ways[number % 20] ?? command)(place);
}

async function command({ daemon, container: container_id }: Place): Promise<string> {
  const cmd = ['echo', 'done'];
  const { url } = await daemon.cri.call('Exec', { container_id, cmd, stdin: true, stdout: true, stderr: true });
  const socket = await openSocket(url, 'v5.channel.k8s.io');
  await socket.closed;
  return socket.text(1);
}

async function leaveMidway({ daemon, container: container_id }: Place): Promise<string> {
  const { url } = await daemon.cri.call('Exec', { container_id, cmd: ['sleep', '1000'], stdout: true });
  const socket = await openSocket(url, 'v4.channel.k8s.io');
  socket.close();
  await socket.closed;
  return 'done\n';
}

/** Asked for and cut off in the middle of its request. */
async function neverCome({ daemon, container: container_id }: Place): Promise<string> {
  const { hostname, port, pathname } = new URL((await daemon.cri.call('Attach', { container_id, stdout: true })).url);
  const socket = connect(Number(port), hostname);
  socket.write(`GET ${pathname} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n`);
  await sleep(5);
  socket.destroy();
  return 'done\n';
}

async function attach({ daemon, container: container_id }: Place): Promise<string> {
  const { url } = await daemon.cri.call('Attach', { container_id, stdout: true, stderr: true });
  const socket = await openSocket(url, 'v5.channel.k8s.io');
  socket.close();
  await socket.closed;
  return 'done\n';
}

async function terminal({ daemon, container: container_id }: Place): Promise<string> {
  const cmd = ['sh', '-c', 'read line; echo "$line"'];
  const { url } = await daemon.cri.call('Exec', { container_id, cmd, stdin: true, stdout: true, tty: true });
  const socket = await openSocket(url, 'v5.channel.k8s.io');
  socket.send(4, '{"Width":80,"Height":24}');
  socket.send(0, 'done\n');
  await socket.closed;
  return socket.text(1).replaceAll('\r', '').replace('done\n', '');
}

async function forward({ daemon, pod }: Place): Promise<string> {
  const { url } = await daemon.cri.call('PortForward', { pod_sandbox_id: pod.id, port: [8080] });
  const socket = await openSocket(url, 'v4.channel.k8s.io');
  socket.send(0, 'GET /none HTTP/1.0\r\n\r\n');
  await socket.closed;
  return /404/.test(socket.text(0)) ? 'done\n' : socket.text(0);
}

async function forwardToNobody({ daemon, pod }: Place): Promise<string> {
  const { url } = await daemon.cri.call('PortForward', { pod_sandbox_id: pod.id, port: [9] });
  const socket = await openSocket(url, 'v4.channel.k8s.io');
  await socket.closed;
  return /refused/.test(socket.text(1)) ? 'done\n' : socket.text(1);
}

/** How many of each there are: descriptors and processes of ours, cgroups and files of the pod. */
export type Held = Readonly<Record<string, number>>;

const programs = ['berthd', 'berth-engine', 'berth-shim'];

export function held({ daemon, container }: Place): Held {
  const processes = ownProcesses(daemon);
  const descriptors = (program: string): number =>
    processes
      .filter(({ name }) => name === program)
      .reduce((sum, { pid }) => sum + namesIn(`/proc/${pid}/fd`).length, 0);
  const shims = processes.filter(({ name }) => name === 'berth-shim').map(({ pid }) => pid);
  return {
    processes: processes.length,
    zombies: zombiesOf(shims),
    ...Object.fromEntries(programs.map((program) => [`descriptors of ${program}`, descriptors(program)])),
    cgroups: below('/sys/fs/cgroup').filter(({ path, isDirectory }) => isDirectory && path.includes(container)).length,
    files: below(daemon.state, (path) => !path.endsWith('/rootfs')).length,
  };
}

/** Private memory of each program, of all its processes together, in KiB. */
export function memoryKiB(daemon: Daemon): Held {
  const processes = ownProcesses(daemon);
  const anonymousKiB = (pid: number): number => Number(/^RssAnon:\s*(\d+)/m.exec(textOf(`/proc/${pid}/status`))?.[1]);
  const sum = (program: string): number =>
    processes.filter(({ name }) => name === program).reduce((total, { pid }) => total + anonymousKiB(pid), 0);
  return Object.fromEntries(programs.map((program) => [program, sum(program)]));
}

/** Waits until nothing is held beyond `before`; the message of a failure shows both. */
export async function untilHeld(place: Place, before: Held): Promise<void> {
  const over = (): string[] => Object.entries(held(place)).flatMap(([what, count]) =>
    count > (before[what] ?? 0) ? [`${what}: ${before[what]}, then ${count}`] : [],
  );
  await until(() => over().length === 0, 60_000, 'all to be closed').catch((error: unknown) => {
    throw new Error(`left behind: ${over().join('; ')}`, { cause: error });
  });
}

function zombiesOf(parents: readonly number[]): number {
  return namesIn('/proc').filter((name) => {
    const [, state = '', parent = ''] = /\) (\w) (\d+) /.exec(textOf(`/proc/${name}/stat`)) ?? [];
    return state === 'Z' && parents.includes(Number(parent));
  }).length;
}
