import { rmSync, writeFileSync } from 'node:fs';
import { type ServiceError, status } from '@grpc/grpc-js';
import test, { type ExecutionContext } from 'ava';
import { containerConfig, createContainer, exec, exitOf, type Pod, podConfig, removePod, runPod, runScript } from './harness/pod.ts';
import { scriptedRuntime } from './harness/scripted.ts';
import { story } from './harness/story.ts';

/** Instead of the verbs for which there is a file `$0.VERB` it runs `instead`; else it is runc. */
const stubborn = (instead: string): string => `#!/bin/sh
for word; do case $word in create|start|exec|update|delete|kill|state) verb=$word; break;; esac; done
[ -e "$0.$verb" ] && exec ${instead}
exec runc "$@"
`;
const verbs = ['create', 'start', 'exec', 'update', 'delete'] as const;
/** Those that a stop does without. */
const unasked = ['kill', 'state'] as const;

/** By handler. */
const runtimes = {
  hangs: scriptedRuntime('hangs', stubborn('sleep 1000')),
  floods: scriptedRuntime('floods', stubborn('yes a line that comes again and again without end')),
};

test.afterEach.always('the runtimes are sound again', () => {
  for (const { path } of Object.values(runtimes)) for (const verb of [...verbs, ...unasked]) rmSync(`${path()}.${verb}`, { force: true });
});

// Long enough for a sound runtime on a machine with much other work.
const args = ['--default-runtime', 'runc', '--runtime-timeout', '10s'];
const stage = story({
  daemon: {
    args,
    prepare: (paths) => {
      for (const { options } of Object.values(runtimes)) {
        options.prepare?.(paths);
        args.push(...(options.args ?? []));
      }
    },
  },
});

async function podOf(handler: string): Promise<Pod> {
  const { daemon } = stage();
  const config = podConfig(daemon, handler);
  const { pod_sandbox_id: id } = await daemon.cri.call('RunPodSandbox', { config, runtime_handler: handler });
  return { id, config };
}

async function timedOut(t: ExecutionContext, what: string, said: RegExp, call: Promise<unknown>): Promise<void> {
  const error = await t.throwsAsync<ServiceError>(call, undefined, what);
  t.is(error?.code, status.DEADLINE_EXCEEDED, `${what}: ${error?.details}`);
  t.regex(error?.details ?? '', said, what);
}

/** Makes the runtime of the handler stubborn, asks it for every verb, then makes it sound again. */
async function liveThrough(t: ExecutionContext, handler: keyof typeof runtimes): Promise<void> {
  const { daemon } = stage();
  const path = runtimes[handler].path();
  const pod = await podOf(handler);
  const runs = async (name: string) => await runScript(daemon, pod, name, 'sleep 1000');
  const [updated, execed, removed, alive] = [await runs('updated'), await runs('execed'), await runs('removed'), await runs('alive')];
  const started = await createContainer(daemon, pod, containerConfig('started', ['sleep', '1000']));
  const created = containerConfig('created', ['sleep', '1000']);
  const linux = { memory_limit_in_bytes: '67108864' };
  for (const verb of [...verbs, ...unasked]) writeFileSync(`${path}.${verb}`, '');
  const calls: Record<(typeof verbs)[number], Promise<unknown>> = {
    create: createContainer(daemon, pod, created),
    start: daemon.cri.call('StartContainer', { container_id: started }),
    exec: daemon.cri.call('ExecSync', { container_id: execed, cmd: ['true'], timeout: 10 }),
    update: daemon.cri.call('UpdateContainerResources', { container_id: updated, linux }),
    delete: daemon.cri.call('RemoveContainer', { container_id: removed }),
  };
  await Promise.all(verbs.map((verb) => {
    const said = verb === 'exec' ? /exec in container \w+: command timed out after 10000 ms|exec \w+: took too long/ : new RegExp(`${path} ${verb}.*(took too long|did not end)`);
    return timedOut(t, `${verb} ${handler}`, said, calls[verb]);
  }));
  for (const [id, timeout] of [[updated, 0], [execed, 1]] as const) {
    await daemon.cri.call('StopContainer', { container_id: id, timeout });
    t.is((await exitOf(daemon, id)).exit_code, 137, 'what runs is stopped without the runtime');
  }
  for (const verb of [...verbs, ...unasked]) rmSync(`${path}.${verb}`);
  t.is((await exec(daemon, alive, 'echo on')).stdout, 'on\n');
  await createContainer(daemon, pod, created);
  await daemon.cri.call('RemoveContainer', { container_id: removed });
}

test('an OCI runtime that hangs or writes without end is given up in time at every verb, by name, and neighbours go on', async (t) => {
  const { daemon } = stage();
  const stubbornOnes = Promise.all([liveThrough(t, 'hangs'), liveThrough(t, 'floods')]);
  stubbornOnes.catch(() => undefined);
  const beside = await runPod(daemon, 'beside');
  t.is((await exitOf(daemon, await runScript(daemon, beside, 'c', 'exit 6'))).exit_code, 6);
  await removePod(daemon, beside.id);
  await stubbornOnes;
});
