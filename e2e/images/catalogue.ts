import { tool } from '../harness/tools.ts';
import { bulkLayers } from './bulk.ts';
import { binaries, binary, busybox, program } from './debian.ts';
import { architecture, type Image, type Layer } from './image.ts';
import type { Entry } from './tar.ts';

const file = (path: string, content: string): Entry => ({ path, type: 'file', content });
const directory = (path: string, mode = 0o755): Entry => ({ path, type: 'directory', mode });

const users = [
  'root:x:0:0:root:/root:/bin/sh',
  'daemon:x:1:1::/:/bin/false',
  'www-data:x:33:33::/var/www:/bin/false',
  'nobody:x:65534:65534::/:/bin/false',
];
const groups = ['root:x:0:', 'daemon:x:1:', 'www-data:x:33:', 'nogroup:x:65534:'];

const base = (moreUsers: string[] = [], moreGroups: string[] = []): Layer => ({
  entries: [
    ...busybox(),
    ...program(binaries.pgrep),
    ...program(binaries.ipcs),
    file('etc/passwd', `${[...users, ...moreUsers].join('\n')}\n`),
    file('etc/group', `${[...groups, ...moreGroups].join('\n')}\n`),
    directory('root', 0o700),
    directory('run'),
    directory('tmp', 0o1777),
    directory('home'),
    { path: 'var/run', type: 'symlink', target: '/run' },
  ],
});
const shell = base();
const only = (...entries: Entry[]): Layer => ({ entries });

const nginx = (port: number): Layer =>
  only(
    ...program(binaries.nginx),
    directory('usr/share/nginx/html'),
    file('usr/share/nginx/html/index.html', '<h1>Welcome to nginx!</h1>\n'),
    directory('var/lib/nginx'),
    directory('var/log/nginx'),
    file(
      'etc/nginx/nginx.conf',
      [
        'user root;',
        'pid /var/run/nginx.pid;',
        'error_log /dev/stderr;',
        'events { worker_connections 64; }',
        `http { access_log /dev/stdout; server { listen ${port}; root /usr/share/nginx/html; } }`,
        '',
      ].join('\n'),
    ),
  );
const nginxConfig = { Cmd: ['nginx', '-g', 'daemon off;'], StopSignal: 'SIGQUIT' };

/** Every image the stories, critest and the benches use. Repositories are the paths the mapped registries share. */
export function catalogue(): Image[] {
  return [...forCritest(), ...forUnpacking(), ...forRefusal(), ...forMalice()];
}

function forCritest(): Image[] {
  const shellConfig = { Cmd: ['sh'] };
  const staging = (name: string) => `k8s-staging-cri-tools/${name}`;
  const marked = (names: string[], config: object = {}): Image => ({
    names: names.map(staging),
    format: 'oci',
    config: { ...shellConfig, ...config },
    layers: [shell, only(file('name', `${names}`))],
  });
  return [
    {
      names: ['e2e-test-images/busybox:1.29-2', 'library/busybox:latest'],
      format: 'docker',
      config: shellConfig,
      layers: [shell],
    },
    {
      names: ['pause:3.9'],
      format: 'docker',
      config: { Cmd: ['sleep', '2147483647'] },
      layers: [shell, only(file('name', 'pause'))],
    },
    { names: ['e2e-test-images/nginx:1.14-2'], format: 'docker', config: nginxConfig, layers: [shell, nginx(80)] },
    {
      names: [staging(`hostnet-nginx-${architecture}:latest`)],
      format: 'docker',
      config: nginxConfig,
      layers: [shell, nginx(12003)],
    },
    {
      names: ['e2e-test-images/httpd:2.4.39-4'],
      format: 'docker',
      layers: [shell, only(file('www/index.html', 'It works!\n'))],
      config: { Cmd: ['sh', '-c', 'echo httpd starts; exec httpd -f -v -p 80 -h /www'] },
    },
    {
      names: ['e2e-test-images/nonewprivs:1.3'],
      format: 'docker',
      config: { Entrypoint: ['/nnp'] },
      layers: [shell, only(binary(tool('effectiveuid'), '/nnp', 0o4755))],
    },
    ...['1', '2', '3', 'latest', 'digest'].map((name) => marked([`test-image-${name}:latest`])),
    ...['test', 'all'].map((tag) => marked([`test-image-tag:${tag}`])),
    marked(['test-image-tags:1', 'test-image-tags:2', 'test-image-tags:3']),
    ...(
      [
        ['uid', '1002'],
        ['username', 'www-data'],
        ['uid-group', '1003:1004'],
        ['username-group', 'www-data:1004'],
      ] as const
    ).map(([name, User]) => marked([`test-image-user-${name}:latest`], { User })),
    {
      names: [staging('test-image-predefined-group:latest')],
      format: 'oci',
      config: { ...shellConfig, User: '1000' },
      layers: [
        base(
          ['default-user:x:1000:1000::/home:/bin/sh'],
          ['default-user:x:1000:', 'group-defined-in-image:x:50000:default-user'],
        ),
      ],
    },
  ];
}

function forUnpacking(): Image[] {
  const whiteouts: Layer[] = [
    only(
      file('data/kept', 'one'),
      file('data/dropped', 'one'),
      file('opaque/old', 'one'),
      file('opaque/sub/old', 'one'),
      file('replaced/by-file/x', 'one'),
      { path: 'data/hard', type: 'hardlink', target: 'data/kept' },
    ),
    only(
      file('data/.wh.dropped', ''),
      file('opaque/.wh..wh..opq', ''),
      file('opaque/new', 'two'),
      file('replaced/by-file', 'two'),
      { path: 'data/soft', type: 'symlink', target: 'kept' },
      { path: 'owned', type: 'file', content: '', uid: 33, gid: 33, mode: 0o2750 },
    ),
    only(file('data/dropped-later', 'three'), file(`data/${'long-name-'.repeat(15)}`, 'three')),
  ];
  return [
    { names: ['berth/layers:1'], format: 'docker', layers: [shell, ...whiteouts] },
    {
      names: ['berth/zstd:1'],
      format: 'oci',
      layers: [
        { ...shell, compression: 'zstd' },
        { ...only(file('zstd', 'yes')), compression: 'zstd' },
      ],
    },
    {
      names: ['berth/plain:1'],
      format: 'oci',
      layers: [{ ...shell, compression: 'none' }, only(file('plain', 'yes'))],
    },
    ...forVolumes(),
    {
      names: ['berth/parentless:1'],
      format: 'oci',
      layers: [
        shell,
        { ...only(file('var/run/app/pid', '1'), file('tmp/x', ''), file('root/.profile', '')), parentless: true },
      ],
    },
    { names: ['berth/bulk:1'], format: 'docker', layers: [shell, ...bulkLayers()] },
  ];
}

function forVolumes(): Image[] {
  const data: Layer[] = [
    only(file('models/small', 'small'), file('models/dropped', 'old'), { path: 'run.sh', type: 'file', content: '#!/bin/sh\necho ran\n', mode: 0o755 }),
    only(
      file('models/.wh.dropped', ''),
      { path: 'inside', type: 'symlink', target: '/models' },
      { path: 'outside', type: 'symlink', target: '../../../../../../../../etc' },
    ),
  ];
  const Volumes = { '/': {}, '/data': {}, '/var/run/made/': {}, '/link/../new': {}, '/outside/made': {}, '/proc/none': {} };
  return [
    { names: ['berth/data:1'], format: 'oci', layers: data },
    { names: ['berth/artifact:1'], format: 'oci', layers: [], artifact: { type: 'application/vnd.berth.model', files: { 'model.bin': 'weights', 'docs/README.md': '# read me' } } },
    { names: ['berth/data-flat:1'], format: 'oci', layers: [only(file('flat', 'one layer'))] },
    {
      names: ['berth/declares:1'],
      format: 'docker',
      config: { Cmd: ['sh'], Volumes },
      layers: [
        shell,
        only(
          { path: 'data', type: 'directory', mode: 0o750, uid: 33, gid: 33 },
          file('data/shipped', 'with the image'),
          { path: 'outside', type: 'symlink', target: '../../../../../../../../berth-outside' },
        ),
      ],
    },
  ];
}

/** Images whose accounts or working directory are made to catch the one who reads them. */
function forMalice(): Image[] {
  const whose = (name: string, ...accounts: Entry[]): Image => ({
    names: [`berth/accounts-${name}:1`],
    format: 'oci',
    config: { Cmd: ['sh'] },
    layers: [{ entries: [...busybox(), directory('tmp', 0o1777), directory('etc'), ...accounts] }],
  });
  const both = (entry: (path: string) => Entry): Entry[] => ['etc/passwd', 'etc/group'].map(entry);
  return [
    whose('link', ...both((path) => ({ path, type: 'symlink', target: '../../../../../../../../etc/berth-host-accounts' }))),
    whose('fifo', ...both((path) => ({ path, type: 'fifo' }))),
    whose('device', ...both((path) => ({ path, type: 'character', device: [1, 5] }))),
    whose('huge', ...both((path) => file(path, `evil:x:0:0::/:\n${'#'.repeat(2 << 20)}`))),
    {
      names: ['berth/workdir-link:1'],
      format: 'oci',
      config: { Cmd: ['sh'], WorkingDir: '/work/new' },
      layers: [shell, only(directory('berth-outside'), { path: 'work', type: 'symlink', target: '../../../../../../../../berth-outside' })],
    },
  ];
}

function forRefusal(): Image[] {
  const other = architecture === 'arm64' ? 'amd64' : 'arm64';
  return [
    { names: ['berth/foreign:1'], format: 'docker', architectures: ['s390x', other], layers: [] },
    { names: ['berth/foreign-single:1'], format: 'oci', architectures: [other], single: true, layers: [] },
    {
      names: ['berth/corrupt:1'],
      format: 'docker',
      layers: [shell, only(file('corrupt', 'this layer is tampered with'))],
    },
    {
      names: ['berth/false-diffid:1'],
      format: 'docker',
      layers: [only(file('f', 'x'))],
      claimedDiffIds: [`sha256:${'0'.repeat(64)}`],
    },
  ];
}
