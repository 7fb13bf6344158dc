import test from 'ava';
import { exec, runPod, runScript } from './harness/pod.ts';
import { story } from './harness/story.ts';

const stage = story();

/** A pod with one pid namespace, and a container in it that may trace every process of the pod. */
async function tracer(name: string): Promise<(script: string) => Promise<string>> {
  const { daemon } = stage();
  const namespace_options = { pid: 'POD' };
  const pod = await runPod(daemon, name, { linux: { cgroup_parent: daemon.cgroupParent, security_context: { namespace_options } } });
  const capabilities = { add_capabilities: ['SYS_PTRACE'] };
  const id = await runScript(daemon, pod, 'tracer', 'sleep 1000', { linux: { security_context: { namespace_options, capabilities } } });
  return async (script) => (await exec(daemon, id, script)).stdout;
}

test("PID 1 of a pod shows its containers no file system of the host's", async (t) => {
  const seen = await tracer('root');
  t.is(await seen('ls -a /proc/1/root/ /proc/1/cwd/ | sort -u | grep -v :'), '\n.\n..\npause\n');
  t.is(await seen('ls -a /proc/1/root/../.. | grep -v "^[.]"'), 'pause\n');
  t.is(await seen('wc -l < /proc/1/mountinfo'), '2\n');
  t.is(await seen('for fd in /proc/1/fd/*; do readlink $fd; done | sort -u'), '/dev/null\n');
});

test('the program of PID 1 lies on a read-only mount for a container, also by a descriptor that outlives it', async (t) => {
  const seen = await tracer('program');
  t.regex(await seen(': 2>&1 > /proc/1/exe'), /Read-only file system/);
  t.regex(await seen('exec 3< /proc/1/exe; : 2>&1 > /proc/self/fd/3'), /Read-only file system/);
});

test('PID 1 has no capabilities and reaps what is orphaned', async (t) => {
  const seen = await tracer('bare');
  t.regex(await seen('grep -E "^(Cap(Prm|Eff|Amb)|NoNewPrivs)" /proc/1/status'), /^CapPrm:\t0+\nCapEff:\t0+\nCapAmb:\t0+\nNoNewPrivs:\t1\n$/);
  t.regex(await seen('(sleep 0.1 &) ; sleep 0.5; while ps -o stat,comm | grep "^Z"; do sleep 0.1; done; echo reaped'), /reaped\n$/);
});
