import { readFileSync } from 'node:fs';
import test from 'ava';
import { parse } from 'smol-toml';
import { flagOf, nameOf, optionList } from './options.ts';
import { docsPage, helpText, tomlTemplate } from './options-pages.ts';

test('shipped configuration file and docs page say what the table says', (t) => {
  t.is(readFileSync(new URL('../manifests/berth.toml', import.meta.url), 'utf8'), tomlTemplate(), 'run bin/write-options.ts');
  t.is(readFileSync(new URL('../docs/options.md', import.meta.url), 'utf8'), docsPage(), 'run bin/write-options.ts');
});

test('shipped configuration file names every option once, and all its lines are valid when uncommented', (t) => {
  const uncommented = tomlTemplate().replaceAll(/^# (?=[a-z-]+ = |\[)/gm, '');
  const values = parse(uncommented);
  const inFile = optionList.filter((each) => each.flagOnly === undefined);
  t.deepEqual(Object.keys(values).sort(), inFile.map((each) => nameOf(each.key)).sort());
  for (const each of inFile) t.notThrows(() => each.kind.fromToml(values[nameOf(each.key)]), each.key);
});

test('help lists every option', (t) => {
  for (const each of optionList) t.true(helpText().includes(`  --${flagOf(each)} `), each.key);
});

test('every default can be written on a command line and read back', (t) => {
  for (const each of optionList.filter(({ key }) => key !== 'runtimes')) {
    t.deepEqual(each.kind.fromText(each.kind.toText(each.fallback())), each.fallback(), each.key);
  }
});
