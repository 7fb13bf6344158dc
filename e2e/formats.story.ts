import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import test from 'ava';
import { checkedOffline } from './harness/check.ts';
import { exec, runPod, runScript } from './harness/pod.ts';
import { execute, type Result } from './harness/run.ts';
import { story } from './harness/story.ts';

const stage = story();

/** A start to its end, which is a refusal. */
function refusal(): Promise<Result> {
  const [command = '', ...args] = stage().daemon.commandLine;
  return execute(command, args);
}

function change(sql: string): void {
  const database = new DatabaseSync(join(stage().daemon.state, 'state.db'));
  database.exec(sql);
  database.close();
}

test('records of pods from a newer release are refused with an exit code of its own, and pods run on under the release that wrote them', async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'newer');
  const container = await runScript(daemon, pod, 'c', 'sleep 1000');
  await daemon.stop();
  change('PRAGMA user_version = 99');
  const path = join(daemon.state, 'state.db');
  const before = readFileSync(path);
  const { code, stderr } = await refusal();
  t.is(code, 78);
  t.regex(stderr, /state\.db has schema version 99, this release knows \d+: start the release that wrote it\n$/);
  t.deepEqual(readFileSync(path), before);
  await t.throwsAsync(checkedOffline(daemon, '--repair'), { message: /schema version 99/ });
  t.deepEqual(readFileSync(path), before);
  change('PRAGMA user_version = 2');
  await daemon.start();
  t.is((await exec(daemon, container, 'echo on')).stdout, 'on\n');
});

test('an image record of a newer release is refused in the same way, with all images left as they are', async (t) => {
  const { daemon } = stage();
  await daemon.stop();
  const folder = join(daemon.root, 'images');
  const path = join(folder, readdirSync(folder)[0] ?? '');
  const before = readFileSync(path, 'utf8');
  const newer = before.replace('"version": 1,', '"version": 99,');
  writeFileSync(path, newer);
  const layers = readdirSync(join(daemon.root, 'layers'));
  const { code, stderr } = await refusal();
  t.is(code, 78);
  t.regex(stderr, /\.json has schema version 99, this release knows 1: start the release that wrote it\n$/);
  t.is(readFileSync(path, 'utf8'), newer);
  t.deepEqual(readdirSync(join(daemon.root, 'layers')), layers);
  writeFileSync(path, before);
  await daemon.start();
  t.is((await daemon.cri.call('ListImages', {})).images.length, 1);
});

test('records of pods from the first version of the schema are taken up, and their pods run on', async (t) => {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'older');
  const container = await runScript(daemon, pod, 'c', 'sleep 1000');
  await daemon.stop();
  change('DROP TABLE boot; PRAGMA user_version = 1');
  await daemon.start();
  t.is((await exec(daemon, container, 'echo on')).stdout, 'on\n');
  t.is((await daemon.cri.call('PodSandboxStatus', { pod_sandbox_id: pod.id })).status.state, 'SANDBOX_READY');
});
