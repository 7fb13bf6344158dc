import { join } from 'node:path';
import test from 'ava';
import { hangingFolder } from './harness/hanging.ts';
import { containerConfig, createContainer, exec, podConfig, runPod, runScript } from './harness/pod.ts';
import { story } from './harness/story.ts';

const stage = story();

/** More than the threads that Node has for files: 4. */
const MANY = 8;

test('a log folder and a seccomp profile on a file system that hangs hold up nobody but those who name them', async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'well');
  const hanging = await hangingFolder(join(daemon.directory, 'hanging'));
  let ended = false;
  const failed = (call: Promise<unknown>): Promise<boolean> => call.then(() => false, () => ended);
  const errorOf = (call: Promise<unknown>): Promise<string> => call.then(() => 'none', ({ message }: Error) => (ended ? `late: ${message}` : message));
  const stuckPods = Array.from({ length: MANY }, (_, at) => {
    const config = { ...podConfig(daemon, `stuck-${at}`), log_directory: join(hanging.path, 'logs') };
    return errorOf(daemon.cri.call('RunPodSandbox', { config }));
  });
  const stuckContainers = Array.from({ length: MANY }, (_, at) => {
    const profile = { seccomp: { profile_type: 'Localhost', localhost_ref: join(hanging.path, 'profile.json') } };
    const linux = { security_context: { namespace_options: { pid: 1 }, ...profile } };
    return failed(createContainer(daemon, pod, containerConfig(`stuck-${at}`, ['true'], { linux })));
  });
  try {
    const id = await runScript(daemon, await runPod(daemon, 'other'), 'c', 'sleep 1000');
    t.is((await exec(daemon, id, 'echo well')).stdout, 'well\n');
    const { info } = await daemon.cri.call('ContainerStatus', { container_id: id, verbose: true });
    t.regex(info['info'] ?? '', /"runtimeSpec":\{/);
    for (const error of await Promise.all(stuckPods)) t.regex(error, /DEADLINE_EXCEEDED.*log_directory .*its file system does not answer/);
  } finally {
    ended = true;
    await hanging.end();
  }
  t.deepEqual(await Promise.all(stuckContainers), stuckContainers.map(() => true));
});
