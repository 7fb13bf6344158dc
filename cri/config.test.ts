import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { isKind } from '../api/errors.ts';
import { type Config, readCommand } from './config.ts';

function folder(t: ExecutionContext, files: Record<string, string> = {}): string {
  const path = mkdtempSync(join(tmpdir(), 'berth-config-'));
  t.teardown(() => rmSync(path, { recursive: true }));
  mkdirSync(join(path, 'berth.d'));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(path, name), text);
  return path;
}

function run(t: ExecutionContext, argv: string[], files: Record<string, string> = {}): Config {
  const config = join(folder(t, { 'berth.toml': '', ...files }), 'berth.toml');
  const command = readCommand(['--config', config, ...argv]);
  if (command.do !== 'run') throw new Error(`expected a run, got ${command.do}`);
  return command.config;
}

function refusal(t: ExecutionContext, argv: string[], files: Record<string, string> = {}): string {
  const error = t.throws(() => run(t, argv, files));
  t.true(isKind(error, 'invalid'));
  return error?.message ?? '';
}

test('options that nobody names have their default and do not count as given', (t) => {
  const config = run(t, []);
  t.is(config.listen, '/run/berth/berth.sock');
  t.deepEqual(config.cniPluginDirs, ['/opt/cni/bin', '/usr/lib/cni']);
  t.deepEqual([...config.given], ['config']);
  t.true(Object.isFrozen(config));
});

test('drop-ins count more than the file, the command line more than both', (t) => {
  const config = run(t, ['--stream-port=3'], {
    'berth.toml': 'root = "/a"\nlog-level = "debug"\nstream-port = 1',
    'berth.d/20.toml': 'log-level = "error"\nstream-port = 2',
    'berth.d/10.toml': 'log-level = "warn"',
    'berth.d/30.conf': 'not read',
  });
  t.is(config.root, '/a');
  t.is(config.logLevel, 'error');
  t.is(config.streamPort, 3);
  t.true(config.given.has('logLevel'));
});

test('a time is read in hours, minutes and seconds', (t) => {
  const read = (text: string): number => run(t, [`--stream-idle-timeout=${text}`]).streamIdleTimeout;
  t.deepEqual(['4h', '1h30m', '90s', '0s', '2h1s'].map(read), [14_400_000, 5_400_000, 90_000, 0, 7_201_000]);
});

test('a size is read in bytes with or without a unit', (t) => {
  const read = (text: string): number => run(t, [`--layer-unpacked-bytes=${text}`]).layerUnpackedBytes;
  t.deepEqual(['1', '7B', '3KiB', '64GiB', '1TiB'].map(read), [1, 7, 3072, 68_719_476_736, 1_099_511_627_776]);
  for (const text of ['0', '64GB', 'GiB', '-1', '1.5GiB', '999999999999TiB']) {
    t.regex(refusal(t, ['--layer-unpacked-bytes', text]), /must be a size such as 512MiB or 64GiB/);
  }
});

test('OCI runtimes of file and command line are joined by name', (t) => {
  const { runtimes } = run(t, ['--runtime', 'crun=/usr/bin/crun', '--runtime=runc=/opt/runc'], {
    'berth.toml': '[runtimes.runc]\npath = "/usr/sbin/runc"\n[runtimes.runsc]\npath = "/usr/bin/runsc"\nargs = ["--platform=ptrace"]\nprivileged-without-host-devices = true\nsandbox = "process"\nplatform = "linux/arm64/v8"',
  });
  t.deepEqual(runtimes, {
    runc: { path: '/opt/runc', args: [], privilegedWithoutHostDevices: false, sandbox: 'none', platform: '' },
    runsc: { path: '/usr/bin/runsc', args: ['--platform=ptrace'], privilegedWithoutHostDevices: true, sandbox: 'process', platform: 'linux/arm64/v8' },
    crun: { path: '/usr/bin/crun', args: [], privilegedWithoutHostDevices: false, sandbox: 'none', platform: '' },
  });
});

test('an unknown option or key is refused with the nearest valid name', (t) => {
  t.is(refusal(t, ['--lissten', '/x']), 'unknown option --lissten: did you mean --listen? See --help');
  t.is(refusal(t, ['--zzzzzzzzzz', '/x']), 'unknown option --zzzzzzzzzz See --help');
  t.regex(refusal(t, [], { 'berth.toml': 'log_level = "info"' }), /berth\.toml: unknown key log_level: did you mean log-level\?$/);
  t.regex(refusal(t, [], { 'berth.d/x.toml': 'config = "/x"' }), /berth\.d\/x\.toml: unknown key config/);
  t.regex(refusal(t, [], { 'berth.toml': '[runtimes.x]\npath = "/x"\narg = []' }), /has no key arg in \[runtimes\.x\]/);
  t.regex(refusal(t, ['serve']), /unexpected argument 'serve'/);
});

test('an invalid value is refused with the place that named it', (t) => {
  t.is(refusal(t, ['--stream-port', '70000']), '--stream-port "70000" must be a whole number from 0 to 65535');
  t.is(refusal(t, ['--log-format', 'xml']), '--log-format "xml" must be one of text, json');
  t.is(refusal(t, ['--root', 'here']), '--root "here" must be an absolute path');
  t.is(refusal(t, ['--metrics-address', '9537']), '--metrics-address "9537" must be HOST:PORT, such as 127.0.0.1:9537, or empty for off');
  t.regex(refusal(t, ['--stream-idle-timeout', '4']), /^--stream-idle-timeout "4" must be a time such as 4h/);
  t.regex(refusal(t, [], { 'berth.toml': 'stream-idle-timeout = 4' }), /stream-idle-timeout 4 must be a time in quotes/);
  for (const wrong of ['files=1', 'nofile', 'nofile=2:1', 'nofile=-1']) t.regex(refusal(t, ['--default-ulimits', wrong]), /must be limits such as nofile=1024:4096/);
  t.is(refusal(t, ['--root']), '--root needs a value: --root PATH');
  t.regex(refusal(t, [], { 'berth.toml': 'default-cni = "yes"' }), /berth\.toml: default-cni "yes" must be true or false/);
  t.regex(refusal(t, [], { 'berth.toml': 'root = ' }), /berth\.toml is not valid TOML/);
});

test('settings that cannot work together are refused', (t) => {
  t.regex(refusal(t, ['--default-runtime', 'kata']), /--default-runtime kata is not configured; there are runc, crun, youki$/);
  t.is(run(t, ['--default-runtime', 'kata', '--runtime', 'kata=/usr/bin/kata']).defaultRuntime, 'kata');
  t.regex(refusal(t, ['--stream-tls-cert', '/c']), /--stream-tls-cert and --stream-tls-key need each other/);
  t.regex(refusal(t, ['--stream-tls-client-ca', '/c']), /--stream-tls-client-ca \/c needs --stream-tls-cert/);
  t.regex(refusal(t, ['--image-store', '/i', '--additional-image-stores', '/a,/i/']), /--additional-image-stores names \/i, which is this daemon's own/);
  t.regex(refusal(t, ['--state', `/${'x'.repeat(100)}`]), /--state .* is longer than/);
});

test('a configuration file that was asked for must exist', (t) => {
  const missing = join(folder(t), 'none.toml');
  const error = t.throws(() => readCommand(['--config', missing]));
  t.regex(error?.message ?? '', /none\.toml does not exist/);
});

test('help and version are answered whatever else is said', (t) => {
  t.deepEqual(readCommand(['--nonsense', '--help']), { do: 'help' });
  t.deepEqual(readCommand(['--version']), { do: 'version' });
});
