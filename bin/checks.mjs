// Runs every check in order and ends with the line "N passed, N failed"; exit status 1 when one failed.
//   node bin/checks.mjs [SECTION...]
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';

const node = process.execPath;
const ava = [node, 'node_modules/ava/entrypoints/cli.js'];

const sections = [
  { name: 'types', command: [node, 'node_modules/typescript/bin/tsc', '-p', '.'], count: countOne },
  { name: 'lint', command: ['node_modules/.bin/biome', 'lint', '--error-on-warnings', '.'], count: countOne },
  { name: 'unit', command: ava, count: countAva },
  { name: 'native', command: ['cargo', 'test', '--no-fail-fast'], cwd: 'runtime-native', count: countCargo },
  {
    name: 'stories',
    tools: ['crictl', 'cridescriptor', 'critest', 'effectiveuid', 'steady', 'activate', 'runc'],
    command: [...ava, '--config', 'e2e/ava.config.js'],
    count: countAva,
    needs: 'e2e/ava.config.js',
  },
  {
    name: 'critest',
    tools: ['critest', 'ginkgo', 'runc'],
    command: [node, 'e2e/critest/main.ts', '--pass', 'spdy'],
    count: countCritest,
  },
  { name: 'guest', tools: ['crictl', 'runc'], command: [node, 'e2e/guest/main.ts', '--smoke'], count: countAva },
];

const only = process.argv.slice(2);
const unknown = only.find((name) => !sections.some((section) => section.name === name));
if (unknown !== undefined) {
  console.error(`checks: no section ${unknown}; there are ${sections.map((section) => section.name).join(', ')}`);
  process.exit(2);
}

let passed = 0;
let failed = 0;
for (const section of sections) {
  if (only.length > 0 && !only.includes(section.name)) continue;
  const result = await run(section);
  passed += result.passed;
  failed += result.failed;
  console.log(`=== ${section.name}: ${result.passed} passed, ${result.failed} failed in ${result.seconds} s\n`);
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;

/** Runs one section with its output shown; a command that fails without a counted failure counts as one. */
async function run({ name, tools = [], command, cwd, count, needs }) {
  console.log(`=== ${name}: ${command.slice(command[0] === node ? 1 : 0).join(' ')}`);
  if (needs !== undefined && !existsSync(needs)) {
    console.log(`${needs} does not exist`);
    return { passed: 0, failed: 1, seconds: 0 };
  }
  // Here, so that no test's time limit counts the download and the build of a tool.
  if (tools.length > 0 && !(await capture(['e2e/tools/build', ...tools])).ok) return { passed: 0, failed: 1, seconds: 0 };
  const from = performance.now();
  const { output, ok } = await capture(command, cwd);
  const counted = count(output, ok);
  const failedCount = ok ? counted.failed : Math.max(1, counted.failed);
  return { passed: counted.passed, failed: failedCount, seconds: Math.round((performance.now() - from) / 100) / 10 };
}

/** The command's whole output, also shown as it comes, and whether it ended with status 0. */
function capture([file, ...args], cwd) {
  return new Promise((resolve) => {
    const child = spawn(file, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    const show = (chunk) => {
      output += chunk;
      process.stdout.write(chunk);
    };
    child.stdout.on('data', show);
    child.stderr.on('data', show);
    child.on('error', (error) => {
      console.log(`${file}: ${error.message}`);
      resolve({ output, ok: false });
    });
    child.on('close', (code) => resolve({ output, ok: code === 0 }));
  });
}

function countOne(_output, ok) {
  return { passed: ok ? 1 : 0, failed: ok ? 0 : 1 };
}

/** Counts ava's lines of passed tests, and sums its closing lines: "1 test failed", "1 uncaught exception", … */
function countAva(output) {
  return {
    passed: output.match(/^\s*✔ /gm)?.length ?? 0,
    failed: sum(
      output,
      /^\s*(\d+) (?:tests? failed|uncaught exceptions?|unhandled rejections?|tests? remained pending)/gm,
    ),
  };
}

/** Sums cargo's "test result: ok. 4 passed; 0 failed; …" over all its test binaries. */
function countCargo(output) {
  return {
    passed: sum(output, /^test result: .* (\d+) passed/gm),
    failed: sum(output, /^test result: .* (\d+) failed/gm),
  };
}

/** Reads "critest spdy: 100 passed, 0 failed, …"; specs that cannot pass anywhere offline count as neither. */
function countCritest(output) {
  return { passed: sum(output, /^critest \w+: (\d+) passed/gm), failed: sum(output, /^critest \w+: \d+ passed, (\d+) failed/gm) };
}

function sum(text, pattern) {
  return Array.from(text.matchAll(pattern), (match) => Number(match[1])).reduce((total, count) => total + count, 0);
}
