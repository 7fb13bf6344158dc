import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { parse } from 'yaml';
import { readCommand } from './config.ts';
import { options } from './options.ts';

const folder = new URL('../manifests/', import.meta.url);
const socket = `unix://${options.listen.fallback()}`;
const textOf = (name: string): string => readFileSync(new URL(name, folder), 'utf8');
const files = readdirSync(folder, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile())
  .map((entry) => `${entry.parentPath}/${entry.name}`);

test('every manifest that names an endpoint names the default socket', (t) => {
  const named = files.flatMap((file) => Array.from(readFileSync(file, 'utf8').matchAll(/unix:\/\/\S+/g), ([endpoint]) => ({ file, endpoint })));
  t.true(named.length >= 5);
  t.deepEqual(named.filter(({ endpoint }) => endpoint !== socket), []);
});

test('the configuration of a node is valid, and says where cAdvisor looks', (t) => {
  const command = readCommand(['--config', new URL('berth.toml', folder).pathname]);
  t.is(command.do === 'run' && command.config.cadvisorSocket, '/run/crio/crio.sock');
});

test('the socket unit holds the default socket, closed to all but root', (t) => {
  t.regex(textOf('berth.socket'), new RegExp(`^ListenStream=${options.listen.fallback()}$`, 'm'));
  t.regex(textOf('berth.socket'), /^SocketMode=0600$/m);
  t.regex(textOf('berth.service'), /^Requires=berth\.socket$/m);
});

test('the network list is one that every plugin of CNI 1.0 takes', (t) => {
  const list = JSON.parse(textOf('10-bridge.conflist')) as { cniVersion: string; plugins: { type: string }[] };
  t.is(list.cniVersion, '1.0.0');
  t.deepEqual(list.plugins.map((plugin) => plugin.type), ['bridge', 'portmap']);
});

test('the unit, the kind image and the script that installs a node name files that are there', (t) => {
  const named = ['berth.service', 'install-node', 'kind/Dockerfile', 'kind/cluster.yaml'].flatMap((name) => {
    const inTree = textOf(name).matchAll(/(?:\/opt\/berth\/|(?<![\w/]))((?:bin|manifests)\/[\w./-]*\w)/g);
    return Array.from(inTree, ([, path = '']) => path);
  });
  const put = Array.from(textOf('install-node').matchAll(/^put (\S+) /gm), ([, path]) => `manifests/${path}`);
  t.true(named.length >= 6 && put.length >= 5);
  t.deepEqual([...named, ...put].filter((path) => !existsSync(new URL(`../${path}`, folder))), []);
  const ignored = textOf('kind/Dockerfile.dockerignore').split('\n').filter((line) => /^\w/.test(line));
  t.deepEqual(ignored.filter((path) => /^(bin|dist|manifests|node_modules|package)/.test(path)), []);
});

test('a node is installed with the files where they are looked for, again and again, and its kubelet finds the socket', (t) => {
  const root = mkdtempSync(join(tmpdir(), 'berth-node-'));
  t.teardown(() => rmSync(root, { recursive: true }));
  const at = (path: string): string => readFileSync(join(root, path), 'utf8');
  for (const path of ['etc/default', 'var/lib/kubelet']) mkdirSync(join(root, path), { recursive: true });
  writeFileSync(join(root, 'etc/default/kubelet'), 'KUBELET_EXTRA_ARGS=--runtime-cgroups=/system.slice/containerd.service\n');
  writeFileSync(join(root, 'var/lib/kubelet/config.yaml'), 'cgroupDriver: systemd\ncontainerRuntimeEndpoint: unix:///run/containerd/containerd.sock\n');
  writeFileSync(join(root, 'var/lib/kubelet/kubeadm-flags.env'), 'KUBELET_KUBEADM_ARGS="--container-runtime-endpoint=unix:///run/containerd/containerd.sock --x=y"\n');
  for (let times = 0; times < 2; times++) execFileSync(new URL('install-node', folder).pathname, [root], { stdio: 'pipe', env: { PATH: `${withoutSystemd(root)}:${process.env['PATH']}` } });
  t.is(at('systemctl'), `--root=${root} enable berth.socket berth.service\n`.repeat(2));
  for (const unit of ['berth.service', 'berth.socket']) t.is(at(`etc/systemd/system/${unit}`), textOf(unit));
  const dropIn = at('etc/systemd/system/kubelet.service.d/10-berth.conf');
  const [, directory = ''] = /--config-dir=(\S+)"/.exec(dropIn) ?? [];
  t.is((parse(at(`${directory}/10-berth.conf`)) as { containerRuntimeEndpoint: string }).containerRuntimeEndpoint, socket);
  t.is((parse(at('etc/crictl.yaml')) as Record<string, string>)['runtime-endpoint'], socket);
  t.is(at('etc/default/kubelet'), 'KUBELET_EXTRA_ARGS=--runtime-cgroups=/system.slice/berth.service\n');
  t.is(at('var/lib/kubelet/config.yaml'), `cgroupDriver: systemd\ncontainerRuntimeEndpoint: ${socket}\n`);
  t.is(at('var/lib/kubelet/kubeadm-flags.env'), `KUBELET_KUBEADM_ARGS="--container-runtime-endpoint=${socket} --x=y"\n`);
  writeFileSync(join(root, 'etc/berth/berth.toml'), '');
  t.notThrows(() => readCommand(['--config', join(root, 'etc/berth/berth.toml')]), 'its drop-in is no configuration');
});

/** A folder with a systemctl that writes down what it is asked. */
function withoutSystemd(root: string): string {
  const path = join(root, 'bin');
  mkdirSync(path, { recursive: true });
  writeFileSync(join(path, 'systemctl'), `#!/bin/sh\necho "$@" >>${root}/systemctl\n`, { mode: 0o755 });
  return path;
}

test('a kind cluster runs the image that the recipe builds, and kubeadm is told of the socket', (t) => {
  type Cluster = { nodes: { image: string; kubeadmConfigPatches: string[] }[] };
  const { nodes } = parse(textOf('kind/cluster.yaml')) as Cluster;
  const [, tag = ''] = /docker build .* --tag (\S+) /.exec(textOf('kind/Dockerfile')) ?? [];
  for (const { image, kubeadmConfigPatches } of nodes) {
    t.is(image, tag);
    const patches = kubeadmConfigPatches.map((text) => parse(text) as { kind: string; nodeRegistration: { criSocket: string } });
    t.deepEqual(patches.map(({ kind, nodeRegistration }) => [kind, nodeRegistration.criSocket]), [['InitConfiguration', socket], ['JoinConfiguration', socket]]);
  }
  const command = readCommand(['--config', new URL('kind/berth.toml', folder).pathname]);
  t.false(command.do === 'run' && command.config.defaultCni);
});

test('the example pod logs into a folder of its own, as the kubelet names it, and its container straight into that', (t) => {
  const { metadata, log_directory } = JSON.parse(textOf('example-pod.json')) as { metadata: Record<string, string>; log_directory: string };
  t.is(log_directory, `/var/log/pods/${metadata['namespace']}_${metadata['name']}_${metadata['uid']}`);
  t.regex((JSON.parse(textOf('example-container.json')) as { log_path: string }).log_path, /^[\w.-]+\.log$/);
  t.true(readFileSync(new URL('../README.md', folder), 'utf8').includes(`rm -r ${log_directory}`));
});

test('every shell script reads as one', (t) => {
  const scripts = [...files, ...readdirSync(new URL('../bin/', folder)).map((name) => new URL(`../bin/${name}`, folder).pathname)];
  const shell = scripts.filter((file) => readFileSync(file, 'utf8').startsWith('#!/bin/bash'));
  t.true(shell.length > 5);
  for (const file of shell) t.notThrows(() => execFileSync('bash', ['-n', file], { stdio: 'pipe' }), file);
});
