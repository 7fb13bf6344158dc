import test from 'ava';
import { parseChallenges, type Challenge } from './challenge.ts';

const cases: [header: string, challenges: Challenge[]][] = [
  ['', []],
  ['Basic realm="x"', [{ scheme: 'basic', parameters: { realm: 'x' } }]],
  [
    'Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull,push"',
    [
      {
        scheme: 'bearer',
        parameters: {
          realm: 'https://auth.docker.io/token',
          service: 'registry.docker.io',
          scope: 'repository:a/b:pull,push',
        },
      },
    ],
  ],
  [
    'BEARER Realm = "a" , error=invalid_token',
    [{ scheme: 'bearer', parameters: { realm: 'a', error: 'invalid_token' } }],
  ],
  [
    'Negotiate, Basic realm="a, b=\\"c\\"", Bearer realm="d"',
    [
      { scheme: 'negotiate', parameters: {} },
      { scheme: 'basic', parameters: { realm: 'a, b="c"' } },
      { scheme: 'bearer', parameters: { realm: 'd' } },
    ],
  ],
  ['Bearer realm="open', [{ scheme: 'bearer', parameters: {} }]],
];
for (const [header, challenges] of cases) {
  test(`the header ${header.slice(0, 50) || '(empty)'} holds ${challenges.length} challenge(s)`, (t) => {
    t.deepEqual(parseChallenges(header).slice(0, Math.max(1, challenges.length)), challenges);
  });
}

test('a header of junk ends', (t) => {
  t.notThrows(() => parseChallenges('=,"'.repeat(5000)));
  t.notThrows(() => parseChallenges('a '.repeat(5000)));
});
