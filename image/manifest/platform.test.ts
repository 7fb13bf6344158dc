import test from 'ava';
import { isKind } from '../../api/errors.ts';
import type { IndexEntry, Platform } from './manifest.ts';
import { choosePlatform, hostPlatform, requirePlatform } from './platform.ts';

const platform = (text: string): Platform => {
  const [os = '', architecture = '', variant = ''] = text.split('/');
  return { os, architecture, variant };
};
const indexOf = (...offered: string[]): { kind: 'index'; entries: IndexEntry[] } => ({
  kind: 'index',
  entries: offered.map((text) => ({
    mediaType: '',
    digest: text,
    sizeBytes: 0,
    nested: false,
    platform: text === 'none' ? undefined : platform(text),
  })),
});

const choices: [wanted: string, offered: string[], chosen: string][] = [
  ['linux/amd64', ['linux/s390x', 'linux/amd64'], 'linux/amd64'],
  ['linux/amd64/v3', ['linux/amd64', 'linux/amd64/v4', 'linux/amd64/v3', 'linux/amd64/v2'], 'linux/amd64/v3'],
  ['linux/amd64/v3', ['linux/amd64', 'linux/amd64/v2'], 'linux/amd64/v2'],
  ['linux/amd64/v2', ['linux/amd64/v3', 'linux/amd64'], 'linux/amd64'],
  ['linux/amd64/v1', ['windows/amd64', 'linux/x86_64'], 'linux/x86_64'],
  ['linux/arm/v7', ['linux/arm/v8', 'linux/arm/v5', 'linux/arm/v6'], 'linux/arm/v6'],
  ['linux/arm/v8', ['linux/arm/v6', 'linux/arm'], 'linux/arm'],
  ['linux/arm64/v8', ['linux/arm/v8', 'linux/arm64'], 'linux/arm64'],
  ['linux/s390x', ['linux/amd64', 'linux/s390x', 'linux/s390x'], 'linux/s390x'],
  ['linux/amd64', ['none', 'linux/amd64'], 'linux/amd64'],
  ['linux/amd64', ['linux/arm64', 'none'], 'none'],
];
for (const [wanted, offered, chosen] of choices) {
  test(`${wanted} takes ${chosen} of ${offered.join(', ')}`, (t) => {
    t.is(choosePlatform(indexOf(...offered), platform(wanted)).digest, chosen);
  });
}

test('an index without this platform is refused with both sides named', (t) => {
  const offered = indexOf('linux/arm64', 'unknown/unknown', 'linux/amd64/v4', 'windows/amd64');
  const error = t.throws(() => choosePlatform(offered, platform('linux/amd64/v2')), {
    message: /linux\/amd64\/v2.*linux\/arm64/,
  });
  t.true(isKind(error, 'unsupported'));
});

test('a single image for another platform is refused with both named, one that states none is taken', (t) => {
  const wanted = platform('linux/amd64/v3');
  t.throws(() => requirePlatform(platform('linux/arm64'), wanted), { message: /linux\/arm64.*linux\/amd64\/v3/ });
  t.throws(() => requirePlatform(platform('windows/amd64'), wanted));
  t.notThrows(() => requirePlatform(platform('linux/amd64'), wanted));
  t.notThrows(() => requirePlatform(platform(''), wanted));
});

test('the level of an amd64 machine comes from its flags', (t) => {
  const v2 = 'cx16 lahf_lm popcnt sse4_1 sse4_2 ssse3';
  const v3 = `${v2} avx avx2 bmi1 bmi2 f16c fma abm movbe xsave`;
  const levelOf = (flags: string): string =>
    hostPlatform('x64', '', `processor : 0\nflags\t\t: ${flags}\nbugs : x\n`).variant;
  t.is(levelOf('fpu'), 'v1');
  t.is(levelOf(v2), 'v2');
  t.is(levelOf(v3), 'v3');
  t.is(levelOf(`${v3} avx512f avx512bw avx512cd avx512dq avx512vl`), 'v4');
  t.is(hostPlatform('x64', '', '').variant, 'v1');
  t.deepEqual(hostPlatform('arm64', '', ''), platform('linux/arm64/v8'));
  t.deepEqual(hostPlatform('arm', '7', ''), platform('linux/arm/v7'));
  t.deepEqual(hostPlatform('s390x', '', ''), platform('linux/s390x'));
});
