import { createServer } from 'node:http';
import test from 'ava';
import type { Daemon } from './harness/daemon.ts';
import { exec, podConfig, removePod, runPod, runScript, type Pod } from './harness/pod.ts';
import { freePort, until } from './harness/process.ts';
import { story } from './harness/story.ts';

const stage = story();
const serve = 'mkdir -p /www; hostname > /www/index.html; exec httpd -f -p 80 -h /www';

async function addressOf(daemon: Daemon, pod: Pod): Promise<string> {
  const { status } = await daemon.cri.call('PodSandboxStatus', { pod_sandbox_id: pod.id });
  return status.network?.ip ?? '';
}

const textAt = async (url: string, patienceMs = 1000): Promise<string> =>
  await fetch(url, { signal: AbortSignal.timeout(patienceMs) }).then(
    (reply) => reply.text(),
    () => '',
  );

test('two pods reach each other, and the host reaches them, by address', async (t) => {
  const { daemon } = stage();
  const [server, client] = [await runPod(daemon, 'server'), await runPod(daemon, 'client')];
  await runScript(daemon, server, 'c', serve);
  const container = await runScript(daemon, client, 'c', 'sleep 1000');
  const address = await addressOf(daemon, server);
  t.not(address, await addressOf(daemon, client));
  await until(async () => (await textAt(`http://${address}/`)) === 'server\n', 60_000, 'the host to reach the pod');
  t.is((await exec(daemon, container, `wget -q -O - http://${address}/`)).stdout, 'server\n');
});

test('a pod reaches the host by its address on the bridge', async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'outward');
  const container = await runScript(daemon, pod, 'c', 'sleep 1000');
  const server = createServer((_, response) => {
    response.end('host\n');
  });
  const port = await freePort();
  await new Promise<void>((resolve) => {
    server.listen(port, daemon.network.gateway, resolve);
  });
  t.teardown(() => {
    server.close();
    server.closeAllConnections();
  });
  t.is((await exec(daemon, container, `wget -q -O - http://${daemon.network.gateway}:${port}/`)).stdout, 'host\n');
});

test('containers of one pod share localhost, and a pod has a localhost of its own', async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'shared');
  await runScript(daemon, pod, 'server', serve);
  const container = await runScript(daemon, pod, 'client', 'sleep 1000');
  t.is((await exec(daemon, container, 'until wget -q -O - http://127.0.0.1/; do sleep 0.1; done')).stdout, 'shared\n');
  t.is((await exec(daemon, container, 'ls /sys/class/net')).stdout, 'eth0\nlo\n');
});

test('a host port leads to the pod until the pod is stopped', async (t) => {
  const { daemon } = stage();
  const host_port = await freePort();
  const pod = await runPod(daemon, 'port', { port_mappings: [{ protocol: 0, container_port: 80, host_port }] });
  await runScript(daemon, pod, 'c', serve);
  const url = `http://${daemon.network.gateway}:${host_port}/`;
  await until(async () => (await textAt(url)) === 'port\n', 60_000, 'the host port to answer');
  t.is(await textAt(`http://127.0.0.1:${host_port}/`, 60_000), 'port\n');
  await daemon.cri.call('StopPodSandbox', { pod_sandbox_id: pod.id });
  t.is(await textAt(url), '');
});

test('host name, name servers and sysctls are as the pod asks', async (t) => {
  const { daemon } = stage();
  const wish = podConfig(daemon, 'asks');
  const pod = await runPod(daemon, 'asks', {
    hostname: 'asked-for',
    dns_config: { servers: ['10.96.0.10'], searches: ['svc.cluster.local'], options: ['ndots:5'] },
    linux: { ...Object(wish['linux']), sysctls: { 'net.ipv4.ip_unprivileged_port_start': '77' } },
  });
  const container = await runScript(daemon, pod, 'c', 'sleep 1000');
  const { stdout } = await exec(
    daemon,
    container,
    'hostname; cat /proc/sys/net/ipv4/ip_unprivileged_port_start; cat /etc/resolv.conf',
  );
  t.regex(stdout, /^asked-for\n77\n/);
  for (const line of ['nameserver 10.96.0.10', 'search svc.cluster.local', 'options ndots:5'])
    t.true(stdout.includes(`${line}\n`));
});

test("a pod on the host's network sees the host's interfaces and has no address of its own", async (t) => {
  const { daemon } = stage();
  const namespace_options = { pid: 1, network: 2 };
  const linux = { cgroup_parent: daemon.cgroupParent, security_context: { namespace_options } };
  const pod = await runPod(daemon, 'host', { linux, hostname: '' });
  const container = await runScript(daemon, pod, 'c', 'sleep 1000', {
    linux: { security_context: { namespace_options } },
  });
  t.true((await exec(daemon, container, 'ls /sys/class/net')).stdout.split('\n').includes(daemon.network.bridge));
  t.is(await addressOf(daemon, pod), '');
});

test('an address given back by a removed pod leaves no rule and no interface behind', async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'brief');
  const address = await addressOf(daemon, pod);
  await removePod(daemon, pod.id);
  const again = await runPod(daemon, 'brief');
  t.not(await addressOf(daemon, again), '');
  t.regex(address, /^10\./);
});
