import test from 'ava';
import { crictlConfig } from './harness/crictl.ts';
import type { Daemon } from './harness/daemon.ts';
import { echoIn } from './harness/echo.ts';
import { containerConfig, createContainer, runPod, runScript } from './harness/pod.ts';
import { freePort } from './harness/process.ts';
import { story } from './harness/story.ts';
import { ask } from './harness/streams.ts';
import { openTerminal } from './harness/tmux.ts';
import { tool } from './harness/tools.ts';

const stage = story();

const crictlIn = (daemon: Daemon, ...args: readonly string[]): string[] => [
  tool('crictl'),
  '--config',
  crictlConfig(daemon),
  ...args,
];

for (const transport of ['spdy', 'websocket']) {
  test(`a shell in a terminal over ${transport}: its size, its changes, Ctrl-C and exit code`, async (t) => {
    const { daemon } = stage();
    const container = await runScript(daemon, await runPod(daemon, `shell-${transport}`), 'c', 'sleep 1000');
    const terminal = openTerminal(daemon, crictlIn(daemon, 'exec', '-it', '-r', transport, container, 'sh'));
    t.teardown(terminal.close);
    await terminal.shows(/#\s*$/);
    terminal.type('stty size; echo $TERM', 'Enter');
    await terminal.shows(/^30 90\nxterm/m);
    terminal.resize(71, 19);
    terminal.type('clear; sleep 0.3; stty size', 'Enter');
    await terminal.shows(/^19 71$/m);
    terminal.type('sleep 1000; echo after', 'Enter');
    terminal.type('C-c');
    terminal.type('echo code $?', 'Enter');
    await terminal.shows(/^code 130$/m);
    terminal.type('exit 5', 'Enter');
    await terminal.shows(/exit code 5[\s\S]*ended 1/);
    t.pass();
  });
}

test('a terminal attaches to a container with one, and detaches without ending it', async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'attached');
  const config = containerConfig('c', ['sh'], { stdin: true, tty: true });
  const container = await createContainer(daemon, pod, config);
  await daemon.cri.call('StartContainer', { container_id: container });
  for (const word of ['first', 'second']) {
    const terminal = openTerminal(daemon, crictlIn(daemon, 'attach', '-it', container));
    t.teardown(terminal.close);
    terminal.type('Enter');
    await terminal.shows(/#\s*$/);
    terminal.type(`stty size; echo ${word}-$?`, 'Enter');
    await terminal.shows(new RegExp(`^30 90\\n${word}-0$`, 'm'));
    terminal.type('C-p', 'C-q');
    await terminal.shows(/ended/);
  }
  t.is((await daemon.cri.call('ContainerStatus', { container_id: container })).status.state, 'CONTAINER_RUNNING');
});

test('a port is forwarded from a terminal, until Ctrl-C', async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'forwarded');
  await echoIn(t, pod, '127.0.0.1', 8080);
  const port = await freePort();
  const terminal = openTerminal(daemon, crictlIn(daemon, 'port-forward', pod.id, `${port}:8080`));
  t.teardown(terminal.close);
  await terminal.shows(/Forwarding from 127\.0\.0\.1/);
  t.is(await ask(port, 'typed'), 'heard typed');
  await terminal.shows(/Handling connection/);
  terminal.type('C-c');
  await terminal.shows(/ended \d+/);
  t.is(await ask(port, 'gone'), '');
});
