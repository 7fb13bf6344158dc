// The tree's rules, as a test: which folder may import which, how long a file may be, what may not be in a name or a file.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import test from 'ava';

const top = import.meta.dirname;
const tracked = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], { cwd: top, encoding: 'utf8' })
  .split('\0')
  .filter((file) => file !== '' && existsSync(join(top, file)));
const sources = tracked.filter((file) => file.endsWith('.ts'));
const rust = tracked.filter((file) => file.endsWith('.rs'));

/** What each folder may import besides itself. Only `cri/` joins what observes with what is observed. */
const arrows: Record<string, readonly string[]> = {
  api: [],
  host: ['api'],
  image: ['host', 'api'],
  pod: ['image', 'host', 'api'],
  observe: ['api'],
  cri: ['pod', 'image', 'host', 'api', 'observe'],
  cli: ['host', 'api'],
};

/** Contracts and tables of data, which may be as long as what they list. */
const listings = ['api/cri-types.ts', 'api/cri.ts', 'cri/options.ts', 'pod/spec/seccomp-names.ts'];

test('imports go down the chain cri → pod → image → host → api', (t) => {
  const wrong = sources.flatMap((file) => {
    const allowed = arrows[folder(file)];
    if (allowed === undefined) return [];
    return importsOf(file)
      .filter((imported) => folder(imported) !== folder(file) && !allowed.includes(folder(imported)))
      .map((imported) => `${file} imports ${imported}`);
  });
  t.deepEqual(wrong, []);
});

test('no file loads itself by way of others', (t) => {
  const settled = new Set<string>();
  const cycles: string[] = [];
  const visit = (file: string, trail: readonly string[]): void => {
    if (trail.includes(file)) cycles.push([...trail.slice(trail.indexOf(file)), file].join(' → '));
    if (trail.includes(file) || settled.has(file)) return;
    for (const imported of importsOf(file, { types: false })) visit(imported, [...trail, file]);
    settled.add(file);
  };
  for (const file of sources.filter((each) => folder(each) in arrows)) visit(file, []);
  t.deepEqual(cycles, []);
});

test('node:http is loaded by api/http.ts alone, others import its types', (t) => {
  const importing = /^import (?!type )[^;]*'node:http';/m;
  const loading = sources.filter((file) => folder(file) in arrows && !file.includes('/fixtures/') && !file.endsWith('.test.ts'));
  t.deepEqual(loading.filter((file) => importing.test(text(file))), []);
});

test('the time of day is read where it is told to others, and nowhere is anything measured by it', (t) => {
  const tellers = [
    'host/clock.ts', 'observe/log.ts', 'observe/process.ts',
    'runtime-native/src/shim/clock.rs', 'runtime-native/src/engine/sample.rs',
    // A pause until a time of day, as registries ask for it.
    'runtime-native/src/unpack/fetch/request.rs', 'runtime-native/src/unpack/fetch/retry_after.rs',
  ];
  const read = /\bDate\.now\b|\bnew Date\(\)|\bSystemTime::now\b|\bUNIX_EPOCH\b/;
  const product = [...sources, ...rust].filter((file) => (folder(file) in arrows && !file.endsWith('.test.ts')) || file.startsWith('runtime-native/src/'));
  t.deepEqual(product.filter((file) => read.test(code(file))).sort(), tellers.sort());
});

for (const [page, least] of [['docs/known-failures.md', 15], ['docs/contract.md', 200], ['docs/threat-model.md', 25], ['docs/limits.md', 25]] as const) {
  test(`every test that ${page} names is there`, (t) => {
    const wanted = testsNamedIn(text(page));
    t.true(wanted.length > least);
    t.deepEqual(wanted.filter(({ file, title }) => !hasTest(file, title)), []);
  });
}

test('what the CRI says of a container in Linux is read in one file of pod/spec each, found by its name', (t) => {
  const { messages } = JSON.parse(text('api/cri-v1-fields.json')) as { messages: Record<string, object> };
  const namesOf = (message: string): string[] => Object.keys(messages[message] ?? {}).filter((name) => name.includes('_'));
  const asked = ['LinuxContainerSecurityContext', 'LinuxContainerResources', 'Capability', 'HugepageLimit', 'Mount'].flatMap(namesOf);
  // Devices have paths too, and the engine relabels.
  const names = asked.filter((name) => !namesOf('Device').includes(name) && name !== 'selinux_relabel');
  const files = sources.filter((file) => /^pod\/spec\/[\w-]+\.ts$/.test(file) && !file.endsWith('/example.ts'));
  const reading = (name: string): string[] => files.filter((file) => new RegExp(`\\b${name}\\b`).test(code(file)));
  t.true(names.length > 25);
  t.deepEqual(names.map((name) => [name, ...reading(name)]).filter(({ length }) => length !== 2), []);
});

test('each decision has a number of its own', (t) => {
  const numbers = tracked.flatMap((file) => /^docs\/decisions\/(\d{4})-/.exec(file)?.[1] ?? []);
  t.deepEqual(numbers, [...new Set(numbers)]);
});

test('no file is longer than 400 lines', (t) => {
  const long = [...sources, ...rust]
    .filter((file) => !listings.includes(file))
    .map((file) => ({ file, lines: text(file).split('\n').length - 1 }))
    .filter(({ lines }) => lines > 400);
  t.deepEqual(long, []);
});

test('folders are at most two deep', (t) => {
  const inside = (file: string): string => file.replace(/^runtime-native\/(?:src|tests)\//, '');
  t.deepEqual([...sources, ...rust].filter((file) => inside(file).split('/').length > 3), []);
});

test('names come from the field: no manager, helper, util or service', (t) => {
  t.deepEqual([...sources, ...rust].filter((file) => /(?:^|[-_/])(?:manager|helper|util|service)s?(?:[-_./]|$)/i.test(file)), []);
});

test('nothing names the folder or the registry it was made with', (t) => {
  t.deepEqual(tracked.filter((file) => text(file).includes(`${top}/`)), []);
  t.notRegex(text('package-lock.json'), /"resolved":/);
  t.notRegex(text('.npmrc'), /^.*registry\s*=\s*http/m);
  t.deepEqual([...new Set(text('runtime-native/Cargo.lock').match(/^source = .*$/gm))], [
    'source = "registry+https://github.com/rust-lang/crates.io-index"',
  ]);
});

/** What a page says in italics: a file of tests without its ending, a colon, then titles in quotes; `; ` the next file. */
function testsNamedIn(page: string): { file: string; title: string }[] {
  const italics = page.matchAll(/(?<!\*)\*(?!\*)([^*]+)\*(?!\*)/g);
  return Array.from(italics, ([, proofs = '']) => proofs.replaceAll(/\s+/g, ' ')).flatMap((proofs) => {
    let file = '';
    return [...proofs.matchAll(/"([^"]+)"|([\w/.-]+\.(?:test|story))\b/g)].flatMap(([, title, named]) => {
      if (named !== undefined) file = named;
      return title === undefined ? [] : [{ file, title }];
    });
  });
}

/** True when a file of that name, its folder left out for stories, has a test of that title. */
function hasTest(file: string, title: string): boolean {
  const files = sources.filter((source) => source === `${file}.ts` || source === `e2e/${file}.ts`);
  return files.flatMap((source) => titlesOf(text(source))).some((known) => known.test(title));
}

/** The titles of a file's tests, what is computed in them left open. */
function titlesOf(source: string): RegExp[] {
  const titles = [...source.matchAll(/^ *(?:test|gvisor)(?:\.serial)?\(\s*(['"`])(.*?[^\\])\1/gm)].map(([, , title = '']) => title);
  return titles.map((title) => {
    const parts = title.split(/\$\{[^}]*\}/).map((part) => part.replaceAll(/[\\^$.|?+()[\]{}*]/g, '\\$&'));
    return new RegExp(`^${parts.join('.*')}$`);
  });
}

/** The files of this tree that a source imports, static and dynamic; without `types` only those that it loads. */
function importsOf(file: string, { types } = { types: true }): string[] {
  const statements = text(file).matchAll(/(?:^(?:import|export)\s([^;']*?)\bfrom\s+|^import\s+|\bimport\()'(\.{1,2}\/[^']+)'/gm);
  return Array.from(statements)
    .filter(([, names = '']) => types || !isTypeOnly(names))
    .map(([, , specifier = '']) => normalize(join(dirname(file), specifier)))
    .filter((path) => path.endsWith('.ts'));
}

function isTypeOnly(names: string): boolean {
  const listed = /^\{([^}]*)\}\s*$/.exec(names)?.[1]?.split(',').filter((name) => name.trim() !== '');
  return names.startsWith('type ') || (listed?.every((name) => name.trim().startsWith('type ')) ?? false);
}

/** A file without comments and texts. */
function code(file: string): string {
  return text(file).replaceAll(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$|'[^'\n]*'|`[^`]*`/gm, '');
}

function folder(file: string): string {
  return file.split('/')[0] ?? '';
}

const read = new Map<string, string>();

function text(file: string): string {
  const known = read.get(file) ?? readFileSync(join(top, file), 'utf8');
  read.set(file, known);
  return known;
}
