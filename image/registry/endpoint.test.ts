import test from 'ava';
import { isKind } from '../../api/errors.ts';
import { formatReference, parseReference } from '../manifest/reference.ts';
import { emptyConf, mergeConf, parseRegistriesConf } from './conf.ts';
import { candidates, endpoints, meanings } from './endpoint.ts';

const digest = `sha256:${'a'.repeat(64)}`;
const conf = parseRegistriesConf(
  `
unqualified-search-registries = ["quay.io", "docker.io"]
[aliases]
"tool" = "ghcr.io/acme/tool"
[[registry]]
prefix = "docker.io"
location = "docker.io"
[[registry.mirror]]
location = "mirror.local:5000/hub"
insecure = true
[[registry.mirror]]
location = "digests.local"
pull-from-mirror = "digest-only"
[[registry]]
location = "docker.io/secret"
blocked = true
[[registry]]
prefix = "*.corp.example"
location = "cache.corp.example/all/"
[[registry]]
prefix = "*.ports.example"
location = "ports.example"
[[registry]]
prefix = "plain.corp.example"
insecure = true
[[registry]]
prefix = "registry.k8s.io"
location = "127.0.0.1:5000"
`,
  'registries.conf',
);

const askedAt = (given: string): string[] =>
  endpoints(parseReference(given), conf).map(({ baseUrls, repository }) => `${baseUrls.join(' ')} ${repository}`);

const cases: [given: string, places: string[]][] = [
  ['ghcr.io/a/b', ['https://ghcr.io a/b']],
  [
    'busybox',
    [
      'https://mirror.local:5000 http://mirror.local:5000 hub/library/busybox',
      'https://registry-1.docker.io library/busybox',
    ],
  ],
  [
    `busybox@${digest}`,
    [
      'https://mirror.local:5000 http://mirror.local:5000 hub/library/busybox',
      'https://digests.local library/busybox',
      'https://registry-1.docker.io library/busybox',
    ],
  ],
  [
    'docker.io/secrets/app',
    ['https://mirror.local:5000 http://mirror.local:5000 hub/secrets/app', 'https://registry-1.docker.io secrets/app'],
  ],
  ['a.corp.example/x', ['https://cache.corp.example all/x']],
  ['a.b.corp.example/x/y', ['https://cache.corp.example all/x/y']],
  ['a.ports.example:5000/x', ['https://ports.example:5000 x']],
  ['b.corp.example.evil/x', ['https://b.corp.example.evil x']],
  ['corp.example/x', ['https://corp.example x']],
  ['plain.corp.example/x', ['https://plain.corp.example http://plain.corp.example x']],
  ['registry.k8s.io/pause:3.9', ['http://127.0.0.1:5000 https://127.0.0.1:5000 pause']],
  ['registry.k8s.io.evil/pause', ['https://registry.k8s.io.evil pause']],
  ['localhost:5000/x', ['http://localhost:5000 https://localhost:5000 x']],
];
for (const [given, places] of cases) {
  test(`${given.slice(0, 40)} is asked for at ${places.length} place(s)`, (t) => t.deepEqual(askedAt(given), places));
}

test('a mirror is asked by tag, by digest or by both, as it or its registry says', (t) => {
  const by = parseRegistriesConf(
    `[[registry]]
location = "a.io"
[[registry.mirror]]
location = "tags.io"
pull-from-mirror = "tag-only"
[[registry.mirror]]
location = "digests.io"
pull-from-mirror = "digest-only"
[[registry.mirror]]
location = "all.io"
pull-from-mirror = "all"
[[registry]]
location = "b.io"
mirror-by-digest-only = true
[[registry.mirror]]
location = "copy.io"`,
    'x.conf',
  );
  const hosts = (given: string): string[] => endpoints(parseReference(given), by).map(({ host }) => host);
  t.deepEqual(hosts('a.io/app:v1'), ['tags.io', 'all.io', 'a.io']);
  t.deepEqual(hosts(`a.io/app@${digest}`), ['digests.io', 'all.io', 'a.io']);
  t.deepEqual(hosts('b.io/app:v1'), ['b.io']);
  t.deepEqual(hosts(`b.io/app@${digest}`), ['copy.io', 'b.io']);
});

test('a blocked repository is denied by the longest prefix', (t) => {
  t.true(
    isKind(
      t.throws(() => askedAt('docker.io/secret/app')),
      'denied',
    ),
  );
});

test('a short name follows its alias, else the search registries, else it is on docker.io', (t) => {
  const meant = (given: string, by = conf): string[] => candidates(given, by).map(formatReference);
  t.deepEqual(meant('tool:v1'), ['ghcr.io/acme/tool:v1']);
  t.deepEqual(meant('app'), ['quay.io/app:latest', 'docker.io/library/app:latest']);
  t.deepEqual(meant('app', emptyConf), ['docker.io/library/app:latest']);
  t.deepEqual(meant('ghcr.io/app'), ['ghcr.io/app:latest']);
});

const short: [mode: string, search: string | undefined, candidates: string[] | RegExp][] = [
  ['enforcing', '["a.io"]', ['a.io/app:latest']],
  ['enforcing', '["a.io", "b.io"]', /app may be at a\.io, b\.io: give it an alias/],
  ['permissive', '["a.io", "b.io"]', ['a.io/app:latest', 'b.io/app:latest']],
  ['disabled', '["a.io", "b.io"]', ['a.io/app:latest', 'b.io/app:latest']],
  ['', '["a.io", "b.io"]', ['a.io/app:latest', 'b.io/app:latest']],
  ['enforcing', undefined, ['docker.io/library/app:latest']],
  ['', '[]', /no unqualified-search-registries/],
];
for (const [mode, search, wanted] of short) {
  test(`short-name-mode "${mode}" with the search registries ${search ?? 'of no file'}`, (t) => {
    const said = search === undefined ? '' : `unqualified-search-registries = ${search}\n`;
    const by = parseRegistriesConf(`${said}short-name-mode = "${mode}"\n[aliases]\ntool = "c.io/tool"`, 'x.conf');
    if (wanted instanceof RegExp) t.true(isKind(t.throws(() => candidates('app', by), { message: wanted }), 'invalid'));
    else t.deepEqual(candidates('app', by).map(formatReference), wanted);
    t.deepEqual(candidates(`tool@${digest}`, by).map(formatReference), [`c.io/tool@${digest}`]);
    t.deepEqual(candidates('d.io/app', by).map(formatReference), ['d.io/app:latest']);
    t.notThrows(() => meanings('app', by));
  });
}

test('an image that is here is found by its short name also where a pull would not guess', (t) => {
  const by = parseRegistriesConf('short-name-mode = "enforcing"\nunqualified-search-registries = ["a.io", "b.io"]', 'x.conf');
  t.deepEqual(meanings('app:v1', by).map(formatReference), ['a.io/app:v1', 'b.io/app:v1']);
});

test('a drop-in may take back an alias, the search list, the mode and the credential helpers', (t) => {
  const under = parseRegistriesConf(
    'unqualified-search-registries = ["a.io"]\nshort-name-mode = "enforcing"\ncredential-helpers = ["x"]\n[aliases]\ntool = "c.io/tool"',
    'x.conf',
  );
  const over = parseRegistriesConf('unqualified-search-registries = []\nshort-name-mode = "permissive"\ncredential-helpers = []\n[aliases]\ntool = ""', 'y.conf');
  const merged = mergeConf(under, over);
  t.deepEqual([merged.searchRegistries, merged.shortNameMode, merged.credentialHelpers], [[], 'permissive', []]);
  t.throws(() => candidates('tool', merged), { message: /no alias/ });
  t.deepEqual(mergeConf(under, emptyConf), under);
});

test('a drop-in replaces rules of the same prefix and the search list', (t) => {
  const over = parseRegistriesConf(
    'unqualified-search-registries = ["x.io"]\n[[registry]]\nlocation = "registry.k8s.io"',
    'x.conf',
  );
  const merged = mergeConf(conf, over);
  t.deepEqual(merged.searchRegistries, ['x.io']);
  t.is(merged.rules.length, conf.rules.length);
  t.is(endpoints(parseReference('registry.k8s.io/pause'), merged)[0]?.host, 'registry.k8s.io');
});

const refused = [
  'registry = 1',
  '[[registry]]',
  '[[registry]]\nlocation = "http://x"',
  '[registries.search]\nregistries = ["x"]',
  '[[registry]]\nlocation = "x"\ninsecure = "yes"',
  '[[registry]]\nlocation = "x"\n[[registry.mirror]]\ninsecure = true',
  '[[registry]]\nlocation = "x"\n[[registry.mirror]]\nlocation = "y"\npull-from-mirror = "never"',
  'short-name-mode = "ask"',
  '[aliases]\n"c.io/tool" = "d.io/tool"',
  '[aliases]\ntool = "tool"',
  '[aliases]\ntool = "c.io/tool:v1"',
  '[[registry]]\nprefix = "*.x.io/path"\nlocation = "y.io"',
  '[[registry]]\nprefix = "a.*.io"\nlocation = "y.io"',
  '[[registry]]\nlocation = "x"\nmirror-by-digest-only = true\n[[registry.mirror]]\nlocation = "y"\npull-from-mirror = "all"',
  'a =',
];
for (const toml of refused) {
  test(`${JSON.stringify(toml)} is refused with the file named`, (t) => {
    const error = t.throws(() => parseRegistriesConf(toml, '/etc/r.conf'), { message: /\/etc\/r\.conf/ });
    t.true(isKind(error, 'invalid'));
  });
}
