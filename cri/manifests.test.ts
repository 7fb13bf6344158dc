import { readdirSync, readFileSync } from 'node:fs';
import test from 'ava';
import { readCommand } from './config.ts';
import { options } from './options.ts';

const folder = new URL('../manifests/', import.meta.url);
const files = readdirSync(folder, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile())
  .map((entry) => `${entry.parentPath}/${entry.name}`);

test('every manifest that names an endpoint names the default socket', (t) => {
  const named = files.flatMap((file) => Array.from(readFileSync(file, 'utf8').matchAll(/unix:\/\/\S+/g), ([endpoint]) => ({ file, endpoint })));
  t.true(named.length >= 5);
  t.deepEqual(named.filter(({ endpoint }) => endpoint !== `unix://${options.listen.fallback()}`), []);
});

test('the configuration of a node is valid, and says where cAdvisor looks', (t) => {
  const command = readCommand(['--config', new URL('berth.toml', folder).pathname]);
  t.is(command.do === 'run' && command.config.cadvisorSocket, '/run/crio/crio.sock');
});

test('the network list is one that every plugin of CNI 1.0 takes', (t) => {
  const list = JSON.parse(readFileSync(new URL('10-bridge.conflist', folder), 'utf8')) as { cniVersion: string; plugins: { type: string }[] };
  t.is(list.cniVersion, '1.0.0');
  t.deepEqual(list.plugins.map((plugin) => plugin.type), ['bridge', 'portmap']);
});
