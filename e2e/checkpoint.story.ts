import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { status } from '@grpc/grpc-js';
import test from 'ava';
import { containerConfig, createContainer, exec, runPod, runScript, statusOf } from './harness/pod.ts';
import { story } from './harness/story.ts';
import { tool } from './harness/tools.ts';

/**
 * CRIU works on few kernels. So that the archive is tested on all, programs stand in for `criu check`, which fails while
 * the file `broken` is there, and for the OCI runtime's `checkpoint`; all other verbs are the real runtime's.
 */
const programs = mkdtempSync(join(tmpdir(), 'berth-criu-'));
const program = (name: string, script: string): string => {
  const path = join(programs, name);
  writeFileSync(path, `#!/bin/sh\n${script}\n`);
  chmodSync(path, 0o755);
  return path;
};
const broken = join(programs, 'broken');
program('criu', `if [ -e ${broken} ]; then echo 'Error (criu/cr-check.c): no such feature' >&2; exit 1; fi; echo 'Looks good.'`);
const runtime = program('runc', `
case " $* " in
  *' checkpoint '*)
    case " $* " in *' --leave-running '*) ;; *) exit 3 ;; esac
    while [ $# -gt 1 ]; do
      case $1 in --image-path) echo pages > "$2/pages-1.img" ;; --work-path) echo dumped > "$2/dump.log" ;; esac
      shift
    done
    [ ! -e ${join(programs, 'failing')} ] || { echo 'criu failed: type NOTIFY' >&2; exit 1; } ;;
  *) exec ${tool('runc')} "$@" ;;
esac`);
process.env['PATH'] = `${programs}:${process.env['PATH']}`;
const stage = story({ daemon: { args: ['--runtime', `runc=${runtime}`, '--default-runtime', 'runc'] } });
test.after.always('the programs are removed', () => rmSync(programs, { recursive: true }));

const failure = async (call: Promise<unknown>): Promise<{ code?: number; details?: string }> =>
  call.then(() => ({ code: status.OK }), (error: { code: number; details: string }) => error);
const archives = join(programs, 'archives');
mkdirSync(archives);

test.serial('where CRIU cannot work a checkpoint is UNIMPLEMENTED, and says why', async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'unable');
  const container_id = await runScript(daemon, pod, 'c', 'sleep 1000');
  writeFileSync(broken, '');
  const { code, details } = await failure(daemon.cri.call('CheckpointContainer', { container_id, location: join(archives, 'none.tar') }));
  rmSync(broken);
  t.is(code, status.UNIMPLEMENTED);
  t.regex(details ?? '', /criu check fails on this kernel \(exit code 1\): .*no such feature/);
  t.deepEqual(readdirSync(archives), []);
});

test.serial('a checkpoint is an archive as checkpointctl reads it, and the container goes on', async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'checkpointed');
  const container_id = await runScript(daemon, pod, 'c', 'echo said; echo new > /made; rm /etc/group; sleep 1000');
  await exec(daemon, container_id, 'while [ -e /etc/group ]; do sleep 0.05; done');
  const location = join(archives, 'checkpoint.tar');
  await daemon.cri.call('CheckpointContainer', { container_id, location });
  const names = execFileSync('tar', ['-tf', location], { encoding: 'utf8' }).split('\n').filter((name) => !name.endsWith('/') && name !== '').sort();
  t.deepEqual(names, ['./checkpoint/pages-1.img', './config.dump', './container.log', './deleted.files', './dump.log', './rootfs-diff.tar', './spec.dump']);
  const file = (name: string): string => execFileSync('tar', ['-xOf', location, `./${name}`], { encoding: 'utf8' });
  t.like(JSON.parse(file('config.dump')), { id: container_id, name: 'c', runtime: 'runc', restored: false });
  t.deepEqual(JSON.parse(file('deleted.files')), ['etc/group']);
  t.is((JSON.parse(file('spec.dump')) as { ociVersion: string }).ociVersion.split('.')[0], '1');
  const changed = execFileSync('sh', ['-c', `tar -xOf ${location} ./rootfs-diff.tar | tar -t`], { encoding: 'utf8' }).split('\n');
  t.true(changed.includes('./made') && !changed.includes('./etc/group'));
  t.is((await statusOf(daemon, container_id)).state, 'CONTAINER_RUNNING');
  t.deepEqual(readdirSync(archives), ['checkpoint.tar']);
});

test.serial('a log that was exchanged for a link to a file of the host does not get that file into the archive', async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'linked');
  const container_id = await runScript(daemon, pod, 'c', 'sleep 1000');
  const log = join(pod.config.log_directory, 'c.log');
  rmSync(log);
  symlinkSync('/etc/hostname', log);
  const location = join(archives, 'linked.tar');
  await daemon.cri.call('CheckpointContainer', { container_id, location });
  t.notRegex(execFileSync('tar', ['-tf', location], { encoding: 'utf8' }), /container\.log/);
  t.regex(readFileSync(daemon.logPath, 'utf8'), /a checkpoint lacks the log of its container/);
  rmSync(location);
});

test.serial('a checkpoint that fails leaves nothing, and tells what the runtime said', async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'failing');
  const container_id = await runScript(daemon, pod, 'c', 'sleep 1000');
  writeFileSync(join(programs, 'failing'), '');
  const location = join(archives, 'failed.tar');
  const { code, details } = await failure(daemon.cri.call('CheckpointContainer', { container_id, location }));
  rmSync(join(programs, 'failing'));
  t.is(code, status.INTERNAL);
  t.regex(details ?? '', /criu failed: type NOTIFY/);
  t.false(existsSync(location));
  t.deepEqual(readdirSync(join(daemon.root, 'containers', container_id)).filter((name) => name.startsWith('checkpoint')), []);
});

test.serial('only a running container can be checkpointed, to an absolute path; pods cannot yet', async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'refused');
  const created = await createContainer(daemon, pod, containerConfig('c', ['true']));
  const location = join(archives, 'refused.tar');
  const codeOf = async (method: 'CheckpointContainer' | 'CheckpointPod' | 'RestorePod', request: object) => (await failure(daemon.cri.call(method, request))).code;
  t.is(await codeOf('CheckpointContainer', { container_id: 'f'.repeat(64), location }), status.NOT_FOUND);
  t.is(await codeOf('CheckpointContainer', { container_id: created, location }), status.FAILED_PRECONDITION);
  t.is(await codeOf('CheckpointContainer', { container_id: created, location: 'relative.tar' }), status.INVALID_ARGUMENT);
  t.is(await codeOf('CheckpointPod', { pod_sandbox_id: 'f'.repeat(64) }), status.NOT_FOUND);
  t.is(await codeOf('CheckpointPod', { pod_sandbox_id: pod.id, output_path: archives, container_ids: [created] }), status.UNIMPLEMENTED);
  t.is(await codeOf('RestorePod', { checkpoint_path: archives }), status.UNIMPLEMENTED);
});
