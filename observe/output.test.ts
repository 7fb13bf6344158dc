import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import test, { type ExecutionContext } from 'ava';

const source = new URL('./output.ts', import.meta.url).href;

/** Runs a program with an `output` on its standard error and `say`, which prints to its standard output at once. */
function run(t: ExecutionContext, program: string, stderr: 'pipe' | number): ChildProcess {
  const head = `
    const { backgroundOutput } = await import('${source}');
    const { writeSync } = await import('node:fs');
    const { spawnSync } = await import('node:child_process');
    const say = (word) => writeSync(1, word + ' ');
    let drops = 0;
    const output = backgroundOutput({
      mostBytes: 200_000,
      onDrop: () => void drops++,
      onRoom: (lines) => output.stream.write('dropped ' + lines + '\\n'),
    });
    const line = (number) => output.stream.write('line ' + number + '\\n');
  `;
  const child = spawn(process.execPath, ['--input-type=module', '-e', head + program], {
    stdio: ['ignore', 'pipe', stderr],
  });
  t.teardown(() => child.kill('SIGKILL'));
  return child;
}

for (const kind of ['socket', 'pipe'] as const) {
  test(`a log on a ${kind} that nobody reads holds nothing up, takes a bounded size, and says then what it has dropped`, async (t) => {
    const [read, writer] = kind === 'pipe' ? pipe(t) : [undefined, 'pipe' as const];
    // A child that inherits a pipe makes it block for all who have it.
    const sharing = kind === 'pipe' ? "spawnSync('true', { stdio: 'inherit' });" : '';
    const child = run(t, `${sharing} ${flood}`, writer);
    if (writer !== 'pipe') closeSync(writer);
    const count = await said(child);
    await said(child);
    const [log, drops] = await Promise.all([read?.() ?? text(child.stderr!), said(child)]);
    const lines = log.trimEnd().split('\n');
    t.true(log.length < 1_000_000);
    t.is(lines.at(-1), 'line after');
    // Pipe and reader take some before they are full: there may be room for a while.
    const told = lines.map((each) => Number(/^dropped (\d+)$/.exec(each)?.[1] ?? 0));
    t.is(told.reduce((sum, each) => sum + each), drops);
    t.is(lines.filter((each) => /^line \d+$/.test(each)).length + drops, count);
  });
}

const flood = `
  let number = 0;
  while (drops < 200_000) {
    for (let i = 0; i < 1000; i++) line(number++);
    await new Promise(setImmediate);
  }
  say(number);
  await output.flush(50);
  say(drops);
  await output.flush(60_000);
  line('after');
  await output.flush(60_000);
  say(drops);
`;

/**
 * A pipe, held by a program that reads it when told to; what Node calls so between processes is a socket. A descriptor of
 * this thread that anything but `fs` closes would be closed again at its end, whosever it is then.
 */
function pipe(t: ExecutionContext): [read: () => Promise<string>, writer: number] {
  const directory = mkdtempSync(join(tmpdir(), 'berth-output-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const path = join(directory, 'pipe');
  execFileSync('mkfifo', [path]);
  const reader = spawn('sh', ['-c', 'exec 3<"$0"; read told; exec cat <&3', path], { stdio: ['pipe', 'pipe', 'inherit'] });
  t.teardown(() => reader.kill('SIGKILL'));
  const read = (): Promise<string> => {
    reader.stdin.end('now\n');
    return text(reader.stdout);
  };
  return [read, openSync(path, constants.O_WRONLY)];
}

test('the last lines before a sudden end are written, to a pipe and to a file', async (t) => {
  const program = `for (let i = 0; i < 500; i++) line(i); await output.flush(1000); line('last'); line('words'); process.exit(3);`;
  const expected = [...Array(500).keys(), 'last', 'words'].map((number) => `line ${number}\n`).join('');
  t.is(await text(run(t, program, 'pipe').stderr!), expected);

  const directory = mkdtempSync(join(tmpdir(), 'berth-output-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const file = openSync(join(directory, 'log'), 'a');
  await once(run(t, program, file), 'close');
  closeSync(file);
  t.deepEqual(readFileSync(join(directory, 'log'), 'utf8').split('\n').sort(), expected.split('\n').sort());
});

test('a reader that goes away and a full disk cost lines, not the daemon', async (t) => {
  const program = `
    await new Promise((resolve) => setTimeout(resolve, 50));
    for (let i = 0; i < 10; i++) { line(i); await output.flush(1000); }
    say(drops);
  `;
  const unread = run(t, program, 'pipe');
  unread.stderr!.destroy();
  t.is(await text(unread.stdout!), '10 ');
  const full = openSync('/dev/full', 'a');
  t.is(await text(run(t, program, full).stdout!), '10 ');
  closeSync(full);
});

/** The next number it prints. */
async function said({ stdout }: ChildProcess): Promise<number> {
  let told = '';
  while (!told.endsWith(' ')) {
    const byte = stdout!.read(1) as Buffer | null;
    if (byte) told += byte.toString();
    else await once(stdout!, 'readable');
  }
  return Number(told);
}
