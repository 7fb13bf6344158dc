import test from 'ava';
import { closest, parseAuthFile } from './auth-file.ts';

const file = parseAuthFile(
  JSON.stringify({
    auths: {
      'https://index.docker.io/v1/': { auth: 'aHVi' },
      'quay.io': { auth: 'cXVheQ==' },
      'quay.io/team/app': { username: 'app', password: 'p' },
      'R.example:5000': { identitytoken: 't' },
      'empty.example': {},
    },
    credHelpers: { 'gcr.io': 'gcloud' },
    credsStore: 'pass',
  }),
  '/auth.json',
);

const cases: [repository: string, auth: string | undefined][] = [
  ['docker.io/library/busybox', 'aHVi'],
  ['registry-1.docker.io/library/busybox', 'aHVi'],
  ['quay.io/team/other', 'cXVheQ=='],
  ['quay.io/team/application', 'cXVheQ=='],
  ['quay.io.evil.example/x', undefined],
  ['evil.example/quay.io', undefined],
  ['empty.example/x', undefined],
];
for (const [repository, auth] of cases) {
  test(`credentials in a file for ${repository}`, (t) => t.is(closest(file.auths, repository)?.auth, auth));
}

test('the longest name counts, hosts in any case, with their port', (t) => {
  t.is(closest(file.auths, 'quay.io/team/app')?.username, 'app');
  t.is(closest(file.auths, 'quay.io/team/app/sub')?.username, 'app');
  t.is(closest(file.auths, 'r.example:5000/x')?.identityToken, 't');
  t.is(closest(file.auths, 'r.example/x'), undefined);
});

test('helpers are known by registry, the store serves all others', (t) => {
  t.is(closest(file.helpers, 'gcr.io/project/image'), 'gcloud');
  t.is(closest(file.helpers, 'us.gcr.io/project/image'), undefined);
  t.is(file.store, 'pass');
});

test('a malformed file is named without what is in it', (t) => {
  const error = t.throws(() => parseAuthFile('{"auths": {"a": {"password": 7, "username": "hunter2"}}}', '/auth.json'));
  t.regex(error.message, /password of an entry of \/auth\.json is no text/);
  t.false(error.message.includes('hunter2'));
});
