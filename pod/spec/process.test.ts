import test from 'ava';
import { containerConfig, plainHost, specInput } from './example.ts';
import { containerProcess, execProcess } from './process.ts';

const root = { uid: 0, gid: 0, groups: [0] };
const image = {
  env: ['PATH=/opt', 'LANG=C', 'broken'],
  entrypoint: ['/entry'],
  cmd: ['serve'],
  workingDir: '/work',
  user: '',
};
const processOf = (changes: Parameters<typeof containerConfig>[0], from = image) =>
  containerProcess(specInput({ image: from }, containerConfig(changes)), root);

const commands: [string[], string[], string[]][] = [
  [[], [], ['/entry', 'serve']],
  [['sh', '-c'], [], ['sh', '-c']],
  [[], ['test'], ['/entry', 'test']],
  [['sh'], ['-x'], ['sh', '-x']],
];
for (const [command, args, expected] of commands) {
  test(`command [${command.join(' ')}] with args [${args.join(' ')}] runs ${expected.join(' ')}`, (t) =>
    t.deepEqual(processOf({ command, args }).args, expected));
}

test('nothing to run, or what Linux cannot run, is an error', (t) => {
  t.throws(() => processOf({}, { ...image, entrypoint: [], cmd: [] }), { message: /no command/ });
  t.throws(() => processOf({ command: ['sh', 'a\0b'] }, image), { message: /argument 1 holds a NUL byte/ });
});

test("the pod's environment wins over the image's, each name once", (t) => {
  const envs = [
    { key: 'LANG', value: Buffer.from('de=DE') },
    { key: 'EMPTY', value: Buffer.alloc(0) },
  ];
  t.deepEqual(processOf({ envs }).env, ['PATH=/opt', 'HOSTNAME=web-host', 'LANG=de=DE', 'EMPTY=']);
});

test('a value that is not UTF-8 or a name that is none is refused', (t) => {
  t.throws(() => processOf({ envs: [{ key: 'A', value: Buffer.from([0xff, 0xfe]) }] }), { message: /A is not UTF-8/ });
  t.throws(() => processOf({ envs: [{ key: 'A=B', value: Buffer.from('x') }] }), { message: /"A=B" is not usable/ });
  t.throws(() => processOf({ envs: [{ key: 'A', value: Buffer.from('x\0y') }] }), { message: /NUL/ });
});

test('a terminal brings TERM, which exec brings too where the container has none', (t) => {
  const withTty = processOf({ tty: true });
  t.true(withTty.terminal === true && withTty.env.includes('TERM=xterm'));
  const exec = execProcess(processOf({}), { args: ['sh'], tty: true });
  t.true(exec.terminal === true && exec.env.includes('TERM=xterm'));
  t.is(execProcess(withTty, { args: ['ls'], tty: false }).terminal, undefined);
});

test("the working directory is the container's, else the image's, always absolute", (t) => {
  t.is(processOf({ working_dir: '/x' }).cwd, '/x');
  t.is(processOf({}).cwd, '/work');
  t.is(processOf({}, { ...image, workingDir: 'app' }).cwd, '/app');
});

const scores: [string, number, number][] = [
  ['-997', 0, 0],
  ['-997', -1000, -997],
  ['5000', 0, 1000],
  ['500', 0, 500],
];
for (const [wish, min, expected] of scores) {
  test(`oom_score_adj ${wish} where ${min} is the lowest becomes ${expected}`, (t) => {
    const resources = {
      cpu_period: '0',
      cpu_quota: '0',
      cpu_shares: '0',
      memory_limit_in_bytes: '0',
      oom_score_adj: wish,
      cpuset_cpus: '',
      cpuset_mems: '',
      hugepage_limits: [],
      unified: {},
      memory_swap_limit_in_bytes: '0',
    };
    const config = containerConfig({ linux: { resources, security_context: null } });
    t.is(
      containerProcess(specInput({ host: { ...plainHost, oomScoreAdjMin: min } }, config), root).oomScoreAdj,
      expected,
    );
  });
}
