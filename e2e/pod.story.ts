import test from 'ava';
import { mustCrictl, configFile, crictl } from './harness/crictl.ts';
import { containerConfig, podConfig } from './harness/pod.ts';
import { until } from './harness/process.ts';
import { story } from './harness/story.ts';

const stage = story({ images: [] });
const image = 'registry.k8s.io/e2e-test-images/busybox:1.29-2';

test('crictl pulls an image, runs a pod from it, shows its log, executes in it and removes it', async (t) => {
  const { daemon } = stage();
  await mustCrictl(daemon, 'pull', image);
  t.regex(await mustCrictl(daemon, 'images'), /e2e-test-images\/busybox +1\.29-2/);

  const config = podConfig(daemon, 'first');
  const podFile = configFile(daemon, 'pod', config);
  const pod = await mustCrictl(daemon, 'runp', podFile);
  const containerFile = configFile(
    daemon,
    'container',
    containerConfig('hello', ['sh', '-c', 'echo hello; echo oops >&2; sleep 1000']),
  );
  const container = await mustCrictl(daemon, 'create', pod, containerFile, podFile);
  t.regex(await mustCrictl(daemon, 'ps', '-a'), /Created +hello/);
  await mustCrictl(daemon, 'start', container);
  t.regex(await mustCrictl(daemon, 'ps'), /Running +hello/);
  t.regex(await mustCrictl(daemon, 'pods'), /Ready +first +e2e/);

  t.is(await mustCrictl(daemon, 'exec', '-s', container, 'echo', 'inside'), 'inside');
  const logs = () => crictl(daemon, 'logs', container);
  await until(async () => (await logs()).stdout === 'hello\n' && /^oops$/m.test((await logs()).stderr), 60_000, 'both words in the log');

  await mustCrictl(daemon, 'stop', container);
  t.regex(await mustCrictl(daemon, 'ps', '-a'), /Exited +hello/);
  await mustCrictl(daemon, 'stopp', pod);
  await mustCrictl(daemon, 'rmp', pod);
  t.is(await mustCrictl(daemon, 'pods', '-q'), '');
  t.is(await mustCrictl(daemon, 'ps', '-a', '-q'), '');
});
