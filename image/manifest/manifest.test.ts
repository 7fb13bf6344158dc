import test from 'ava';
import { isKind, type ErrorKind } from '../../api/errors.ts';
import { parseConfig } from './config.ts';
import { parseManifest } from './manifest.ts';

const digest = `sha256:${'a'.repeat(64)}`;
const docker = 'application/vnd.docker.distribution.manifest.v2+json';
const ociIndex = 'application/vnd.oci.image.index.v1+json';
const ociLayer = 'application/vnd.oci.image.layer.v1.tar';
const config = { mediaType: 'application/vnd.oci.image.config.v1+json', digest, size: 10 };
const layer = (mediaType: string): object => ({ mediaType, digest, size: 20 });
const json = (value: object): string => JSON.stringify({ schemaVersion: 2, ...value });

test('a manifest gives its configuration, layers with their compression, and annotations', (t) => {
  const layers = [
    layer('application/vnd.docker.image.rootfs.diff.tar.gzip'),
    layer(`${ociLayer}+zstd`),
    layer(ociLayer),
  ];
  const read = parseManifest(json({ mediaType: docker, config, layers, annotations: { a: 'b' } }), 'application/json');
  if (read.kind !== 'manifest') return t.fail('read as an index');
  t.deepEqual(
    read.layers.map(({ compression }) => compression),
    ['gzip', 'zstd', 'none'],
  );
  t.is(read.config.sizeBytes, 10);
  t.deepEqual(read.annotations, { a: 'b' });
});

test('an index gives platforms and tells nested indexes', (t) => {
  const manifests = [
    {
      ...layer('application/vnd.oci.image.manifest.v1+json'),
      platform: { os: 'linux', architecture: 'arm', variant: 'v7' },
    },
    layer(ociIndex),
  ];
  const read = parseManifest(json({ manifests }), `${ociIndex}; charset=utf-8`);
  if (read.kind !== 'index') return t.fail('read as a manifest');
  t.deepEqual(read.entries[0]?.platform, { os: 'linux', architecture: 'arm', variant: 'v7' });
  t.is(read.entries[1]?.platform, undefined);
  t.deepEqual(
    read.entries.map(({ nested }) => nested),
    [false, true],
  );
});

test('an artifact gives its type and its blobs with a title, whatever their types', (t) => {
  const title = (file: string): object => ({ annotations: { 'org.opencontainers.image.title': file } });
  const empty = { mediaType: 'application/vnd.oci.empty.v1+json', digest, size: 2, data: 'e30=' };
  const blobs = [{ ...layer('application/vnd.docker.image.rootfs.foreign.diff.tar.gzip'), ...title('a/b') }, layer(ociLayer)];
  const of = (more: object): unknown => {
    const read = parseManifest(json({ layers: blobs, ...more }), '');
    return read.kind === 'manifest' && [read.artifactType, read.layers.map(({ file, compression }) => `${file} ${compression}`)];
  };
  t.deepEqual(of({ config: empty, artifactType: 'application/x', subject: empty }), ['application/x', ['a/b none']]);
  t.deepEqual(of({ config: { ...empty, mediaType: 'application/vnd.cncf.helm.config.v1+json' } }), ['application/vnd.cncf.helm.config.v1+json', ['a/b none']]);
});

const refused: [title: string, text: string, kind: ErrorKind][] = [
  ['what is no JSON', '<html>', 'corrupt'],
  ['a JSON list', '[]', 'corrupt'],
  ['schema version 1', '{"schemaVersion":1,"fsLayers":[]}', 'unsupported'],
  ['a document that is list and image', json({ manifests: [], layers: [] }), 'corrupt'],
  ['a list that calls itself an image', json({ mediaType: docker, manifests: [] }), 'unsupported'],
  ['an image that calls itself a list', json({ mediaType: ociIndex, config, layers: [] }), 'unsupported'],
  ['a manifest without configuration', json({ layers: [] }), 'corrupt'],
  [
    'a digest that leaves its folder',
    json({ config: { ...config, digest: 'sha256:../../etc' }, layers: [] }),
    'corrupt',
  ],
  ['a negative size', json({ config: { ...config, size: -1 }, layers: [] }), 'corrupt'],
  ['a size that is text', json({ config: { ...config, size: '10' }, layers: [] }), 'corrupt'],
  [
    'a foreign layer',
    json({ config, layers: [layer('application/vnd.docker.image.rootfs.foreign.diff.tar.gzip')] }),
    'unsupported',
  ],
  [
    'a layer that is none',
    json({ config, layers: [layer('application/vnd.cncf.helm.chart.content.v1.tar+gzip')] }),
    'unsupported',
  ],
];
for (const [title, text, kind] of refused) {
  test(`${title} is refused as ${kind}`, (t) => {
    const error = t.throws(() => parseManifest(text, ''));
    t.true(isKind(error, kind), String(error));
  });
}

test('a configuration gives what containers take from it', (t) => {
  const { config: read, diffIds } = parseConfig(
    JSON.stringify({
      os: 'linux',
      architecture: 'amd64',
      created: '2024-01-01T00:00:00Z',
      config: {
        User: '1000:1000',
        Env: ['A=b'],
        Entrypoint: ['/e'],
        Cmd: ['c'],
        WorkingDir: '/w',
        Labels: { l: '1' },
        StopSignal: 'SIGINT',
        Volumes: { '/v': {}, '/a': {} },
        ExposedPorts: { '80/tcp': {} },
      },
      rootfs: { type: 'layers', diff_ids: [digest] },
    }),
  );
  t.deepEqual(diffIds, [digest]);
  t.deepEqual(read, {
    user: '1000:1000',
    env: ['A=b'],
    entrypoint: ['/e'],
    cmd: ['c'],
    workingDir: '/w',
    labels: { l: '1' },
    stopSignal: 'SIGINT',
    volumes: ['/a', '/v'],
    exposedPorts: ['80/tcp'],
    os: 'linux',
    architecture: 'amd64',
    variant: '',
    created: '2024-01-01T00:00:00Z',
  });
});

test('a configuration with nulls and nothing to run is read as empty', (t) => {
  const nulls = { Env: null, Cmd: null, Entrypoint: null, Labels: null, Volumes: null };
  const { config: read, diffIds } = parseConfig(JSON.stringify({ config: nulls, rootfs: { diff_ids: null } }));
  t.deepEqual([read.env, read.cmd, read.volumes, read.labels, diffIds], [[], [], [], {}, []]);
  t.notThrows(() => parseConfig('{"config":null,"rootfs":{}}'));
});

test('an artifact, a bad diffID and more layers than overlay takes are refused', (t) => {
  const withLayers = (diffIds: string[]): string => JSON.stringify({ rootfs: { diff_ids: diffIds } });
  t.true(
    isKind(
      t.throws(() => parseConfig('{}')),
      'unsupported',
    ),
  );
  t.true(
    isKind(
      t.throws(() => parseConfig(withLayers(['sha256:../x']))),
      'corrupt',
    ),
  );
  t.true(
    isKind(
      t.throws(() => parseConfig(withLayers(Array<string>(501).fill(digest)))),
      'unsupported',
    ),
  );
});
