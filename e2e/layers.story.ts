import test, { type ExecutionContext } from 'ava';
import { containerConfig, createContainer, exec, runPod } from './harness/pod.ts';
import { story } from './harness/story.ts';

const images = ['docker.io/berth/layers:1', 'docker.io/berth/zstd:1', 'docker.io/berth/plain:1', 'docker.io/berth/parentless:1'] as const;
const stage = story({ images });

async function shellIn(t: ExecutionContext, image: string): Promise<(script: string) => Promise<string>> {
  const { daemon } = stage();
  const pod = await runPod(daemon, 'tree');
  const container_id = await createContainer(
    daemon,
    pod,
    containerConfig('c', ['sleep', '1000'], { image: { image } }),
  );
  await daemon.cri.call('StartContainer', { container_id });
  return async (script) => {
    const reply = await exec(daemon, container_id, script);
    t.is(reply.code, 0, reply.stderr);
    return reply.stdout;
  };
}

test('whiteouts, opaque directories and replaced types of upper layers hide what lies below', async (t) => {
  const sh = await shellIn(t, images[0]);
  t.regex(await sh('ls -A /data'), /^dropped-later\nhard\nkept\nlong-name-[-a-z]+\nsoft\n$/);
  t.is(await sh('ls -A /opaque'), 'new\n');
  t.is(await sh('cat /replaced/by-file'), 'two');
  t.is(await sh('find / -xdev -name ".wh.*"'), '');
});

test('hard links, symbolic links, owners and modes are as in the layer', async (t) => {
  const sh = await shellIn(t, images[0]);
  t.is(await sh('test /data/kept -ef /data/hard && stat -c %h /data/kept'), '2\n');
  t.is(await sh('readlink /data/soft; cat /data/soft'), 'kept\none');
  t.is(await sh('stat -c "%u:%g %a" /owned /tmp'), '33:33 2750\n0:0 1777\n');
});

test('a layer without entries for its directories leaves them as the layers below have them', async (t) => {
  const sh = await shellIn(t, images[3]);
  t.is(await sh('readlink /var/run; cat /run/app/pid'), '/run\n1');
  t.is(await sh('stat -c %a /tmp /root'), '1777\n700\n');
});

test('no image holds the decoy of another architecture', async (t) => {
  for (const image of images) t.is(await (await shellIn(t, image))('ls / | grep -c decoy || true'), '0\n');
});

test('layers compressed with zstd and layers not compressed at all unpack like others', async (t) => {
  t.is(await (await shellIn(t, images[1]))('cat /zstd'), 'yes');
  t.is(await (await shellIn(t, images[2]))('cat /plain'), 'yes');
});

test('a container writes to its own layer only', async (t) => {
  const first = await shellIn(t, images[0]);
  await first('echo changed > /data/kept; rm /data/soft');
  const second = await shellIn(t, images[0]);
  t.is(await second('cat /data/kept; readlink /data/soft'), 'onekept\n');
});
