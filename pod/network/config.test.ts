import test from 'ava';
import { chooseConfig, compareVersions, configFiles, parseConfig } from './config.ts';

const list = (changes: object = {}): string =>
  JSON.stringify({ cniVersion: '1.0.0', name: 'net', plugins: [{ type: 'bridge' }], ...changes });

test('files are tried in lexical order, and only those that can hold a network', (t) => {
  t.deepEqual(
    configFiles(['20-b.conf', '10-a.conflist', 'README', '15-c.json', '.10-a.conflist.swp', '10-a.conflist.bak']),
    ['10-a.conflist', '15-c.json', '20-b.conf'],
  );
});

test('the first valid file wins and the faults of those before it are told', (t) => {
  const chosen = chooseConfig([
    { name: '1.conf', text: '{' },
    { name: '2.conf', text: '{"name":"x"}' },
    { name: '3.conflist', text: list() },
    { name: '4.conflist', text: 'never looked at' },
  ]);
  t.is(chosen.config?.file, '3.conflist');
  t.deepEqual(chosen.problems, [
    'CNI configuration 1.conf: is no JSON object',
    'CNI configuration 2.conf: plugin 0 has no valid type',
  ]);
});

test('a single plugin is a list of one', (t) => {
  const config = parseConfig('a.conf', '{"cniVersion":"0.4.0","name":"lone","type":"macvlan","master":"eth0"}');
  t.deepEqual([config.name, config.cniVersions, config.plugins.length], ['lone', ['0.4.0'], 1]);
  t.is(config.plugins[0]['master'], 'eth0');
});

test('a list that names several versions is spoken in the newest known one first', (t) => {
  t.deepEqual(parseConfig('a', list({ cniVersions: ['0.4.0', '1.1.0', '2.0.0'] })).cniVersions, [
    '1.1.0',
    '1.0.0',
    '0.4.0',
  ]);
  t.deepEqual(
    parseConfig('a', '{"name":"n","plugins":[{"type":"x"}]}').cniVersions,
    ['0.1.0'],
    'none named: the first version ever',
  );
  t.true(compareVersions('1.10.0', '1.9.0') > 0);
});

const refused: [string, string, RegExp][] = [
  ['a type that is a path', list({ plugins: [{ type: '../bin/sh' }] }), /plugin 0 has no valid type/],
  ['a type that is a folder', list({ plugins: [{ type: '..' }] }), /plugin 0 has no valid type/],
  ['no plugins', list({ plugins: [] }), /plugins is empty/],
  ['plugins that are no list', list({ plugins: {} }), /plugins is no list/],
  ['a name with a slash', list({ name: 'a/b' }), /name is missing, or has characters/],
  ['no name', list({ name: undefined }), /name is missing/],
  ['a JSON list', '[]', /is no JSON object/],
];
for (const [what, text, message] of refused) {
  test(`${what} is refused with the file's name`, (t) => {
    t.regex(t.throws(() => parseConfig('bad.conflist', text)).message, new RegExp(`bad\\.conflist.*${message.source}`));
  });
}
