import test from 'ava';
import { decode } from '../api/cri.ts';
import type { Image, Images, PullAsk } from '../image/records/record.ts';
import { type ContainerFilesystem, imageHandlers, usageOf } from './image.ts';

const image: Image = {
  id: 'sha256:0123',
  tags: ['localhost:5000/app:1', 'localhost:5000/app:latest'],
  digests: ['localhost:5000/app@sha256:4567'],
  sizeBytes: 9_007_199_254_740_993n,
  layers: ['sha256:aa', 'sha256:bb'],
  config: {
    user: '',
    env: [],
    entrypoint: [],
    cmd: [],
    workingDir: '',
    labels: { a: 'b' },
    stopSignal: '',
    volumes: [],
    exposedPorts: [],
    os: 'linux',
    architecture: 'amd64',
    variant: '',
    created: '',
  },
  rawConfig: '{"os":"linux","config":{"Labels":{"a":"b"}}}',
  artifactType: '',
  annotations: { c: 'd' },
  pulledAtNs: 1n,
  additionalStore: '',
};

const context = { signal: new AbortController().signal } as never;

/** The handlers over one image, and what they asked of it. */
function over(one: Image, containers: ContainerFilesystem = async () => undefined) {
  const pulls: PullAsk[] = [];
  const removed: string[] = [];
  const images = {
    list: () => [one],
    find: (reference: string) => ([one.id, ...one.tags].includes(reference) ? one : undefined),
    pull: async (ask: PullAsk) => {
      pulls.push(ask);
      return one;
    },
    remove: async (reference: string) => void removed.push(reference),
    usage: () => ({ path: '/var/lib/berth', usedBytes: 9_007_199_254_740_993n, inodes: 12n }),
  } as unknown as Images;
  return { ...imageHandlers(images, ['docker.io/pinned:*'], { containers, platformOf: (handler) => (handler === 'arm' ? { os: 'linux', architecture: 'arm64', variant: '' } : undefined) }), pulls, removed };
}

const named = (reference: string) => ({
  image: { image: reference, annotations: {}, user_specified_image: '', runtime_handler: '', image_ref: '' },
});

test('a pull for a runtime handler with a platform of its own asks for that platform, others for none', async (t) => {
  const { PullImage, pulls } = over(image);
  for (const runtime_handler of ['arm', 'runc', '']) {
    await PullImage({ image: { ...named('app').image, runtime_handler }, auth: null, sandbox_config: null }, context);
  }
  t.deepEqual(pulls.map(({ platform }) => platform?.architecture), ['arm64', undefined, undefined]);
});

test('every image is listed with all its names and its exact size', async (t) => {
  const { ListImages } = over(image);
  const { images } = decode('ListImagesResponse', (await ListImages({ filter: null }, context)) as Buffer);
  t.is(images.length, 1);
  t.like(images[0], {
    id: 'sha256:0123',
    repo_tags: image.tags,
    size: '9007199254740993',
    spec: { annotations: { c: 'd' } },
    pinned: false,
  });
});

test('an image with a name that a pattern pins is told as pinned, in the list and in its status', async (t) => {
  const { ImageStatus, ListImages } = over({ ...image, tags: [...image.tags, 'docker.io/pinned:1'] });
  const { images } = decode('ListImagesResponse', (await ListImages({ filter: null }, context)) as Buffer);
  t.true(images[0]?.pinned);
  t.like(await ImageStatus({ ...named('docker.io/pinned:1'), verbose: false }, context), { image: { pinned: true } });
});

test('a filter lists the image it names, and nothing when there is none', async (t) => {
  const { ListImages } = over(image);
  const count = async (reference: string) => {
    const reply = (await ListImages({ filter: named(reference) }, context)) as Buffer;
    return decode('ListImagesResponse', reply).images.length;
  };
  t.is(await count('localhost:5000/app:1'), 1);
  t.is(await count('localhost:5000/other'), 0);
  t.is(await count(''), 1);
});

test('a missing image is no error, an unnamed one is', async (t) => {
  const { ImageStatus } = over(image);
  t.deepEqual(await ImageStatus({ ...named('nothing'), verbose: true }, context), {});
  await t.throwsAsync(async () => ImageStatus({ image: null, verbose: false }, context), {
    message: /without an image/,
  });
});

test('the user of an image is told as uid or as username, never both', async (t) => {
  const userOf = async (user: string) => {
    const { ImageStatus } = over({ ...image, config: { ...image.config, user } });
    const { image: one } = (await ImageStatus({ ...named(image.id), verbose: false }, context)) as { image: object };
    return one;
  };
  t.like(await userOf('1002'), { uid: { value: '1002' }, username: undefined });
  t.like(await userOf('1003:users'), { uid: { value: '1003' }, username: undefined });
  t.like(await userOf('nobody:nogroup'), { uid: undefined, username: 'nobody' });
  t.like(await userOf(''), { uid: undefined, username: '' });
});

test('verbose status has the configuration as it was served, the labels and the chain id', async (t) => {
  const { ImageStatus } = over(image);
  const reply = (await ImageStatus({ ...named(image.id), verbose: true }, context)) as { info: { info: string } };
  t.deepEqual(JSON.parse(reply.info.info), {
    labels: { a: 'b' },
    chainID: 'sha256:b68ad689d6d1ec110ea1c13617437ad6f3766d4b3b309f6a603a222e07a0164f',
    imageSpec: { os: 'linux', config: { Labels: { a: 'b' } } },
  });
});

test('a pull passes every form of credentials on and answers the image id', async (t) => {
  const { PullImage, pulls } = over(image);
  const auth = {
    username: 'u',
    password: 'p',
    auth: 'a',
    server_address: 's',
    identity_token: 'i',
    registry_token: 'r',
  };
  const pull = { ...named('localhost:5000/app:1'), sandbox_config: null };
  t.deepEqual(await PullImage({ ...pull, auth }, context), { image_ref: 'sha256:0123' });
  await PullImage({ ...pull, auth: null }, context);
  t.deepEqual(pulls[0]?.auth, {
    username: 'u',
    password: 'p',
    auth: 'a',
    serverAddress: 's',
    identityToken: 'i',
    registryToken: 'r',
  });
  t.is(pulls[1]?.auth, undefined);
});

test('the file system is told by the same figures for images and containers', async (t) => {
  const { ImageFsInfo } = over(image);
  const reply = (await ImageFsInfo({}, context)) as Record<string, { timestamp: string; fs_id: object }[]>;
  t.like(reply['image_filesystems']?.[0], {
    fs_id: { mountpoint: '/var/lib/berth' },
    used_bytes: { value: '9007199254740993' },
    inodes_used: { value: '12' },
  });
  t.deepEqual(reply['container_filesystems'], reply['image_filesystems']);
  t.regex(reply['image_filesystems']?.[0]?.timestamp ?? '', /^\d{19}$/);
});

test('containers on a file system of their own are told by their own figures', async (t) => {
  const { ImageFsInfo } = over(image, async () => usageOf({ path: '/data/containers', usedBytes: 1n, inodes: 2n }));
  const reply = (await ImageFsInfo({}, context)) as Record<string, object[]>;
  t.like(reply['image_filesystems']?.[0], { fs_id: { mountpoint: '/var/lib/berth' } });
  t.like(reply['container_filesystems']?.[0], { fs_id: { mountpoint: '/data/containers' }, used_bytes: { value: '1' }, inodes_used: { value: '2' } });
});
