import test from 'ava';
import { exec, runPod, runScript } from './harness/pod.ts';
import { until } from './harness/process.ts';
import { story } from './harness/story.ts';

const stage = story({ daemon: { dualStack: true } });

test('a pod of two address families has one address of each, the first as its ip, and is reached by both', async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'dual');
  const { network } = (await daemon.cri.call('PodSandboxStatus', { pod_sandbox_id: pod.id })).status;
  const ips = [network?.ip ?? '', ...(network?.additional_ips.map(({ ip }) => ip) ?? [])];
  t.deepEqual(ips.map((ip) => ip.split(/[.:]/)[0]), ['10', 'fdbe']);
  const id = await runScript(daemon, pod, 'c', 'mkdir /www; echo here > /www/index.html; exec httpd -f -p [::]:80 -h /www');
  const { stdout } = await exec(daemon, id, 'ip -o addr show eth0');
  for (const ip of ips) {
    t.true(stdout.includes(` ${ip}/`), stdout);
    // A connection that is begun while the bridge's own address is still tentative gets no answer.
    const page = () =>
      fetch(`http://${ip.includes(':') ? `[${ip}]` : ip}/`, { signal: AbortSignal.timeout(3000) }).then((reply) => reply.text(), () => '');
    await until(async () => (await page()) === 'here\n', 30_000, `the page at ${ip}`);
  }
});
