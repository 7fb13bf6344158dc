import test from 'ava';
import { credentialFor, type AuthConfig, type Credential } from './credential.ts';

const auth = Buffer.from('user:pa:ss').toString('base64');
const basic: Credential = { kind: 'basic', username: 'user', password: 'pa:ss' };
const anonymous: Credential = { kind: 'anonymous' };
const hosts = ['docker.io', 'registry-1.docker.io'];

const cases: [title: string, given: AuthConfig | undefined, credential: Credential][] = [
  ['nothing is anonymous', undefined, anonymous],
  ['empty fields are anonymous', { username: '', password: '', auth: '' }, anonymous],
  ['user name and password', { username: 'user', password: 'pa:ss' }, basic],
  ['auth holds both', { auth }, basic],
  ['auth may end in zero bytes', { auth: Buffer.from('user:pa:ss\0\0').toString('base64') }, basic],
  ['an identity token', { identityToken: 't' }, { kind: 'identity', token: 't' }],
  ['a registry token', { registryToken: 't' }, { kind: 'bearer', token: 't' }],
  ['server address of Docker with path', { auth, serverAddress: 'https://index.docker.io/v1/' }, basic],
  ['server address of the host', { auth, serverAddress: 'DOCKER.io' }, basic],
  ['server address of another registry', { auth, serverAddress: 'quay.io' }, anonymous],
  ['server address with another port', { auth, serverAddress: 'docker.io:444' }, anonymous],
];
for (const [title, given, credential] of cases) {
  test(`credentials: ${title}`, (t) => t.deepEqual(credentialFor(given, hosts), credential));
}

test('a malformed auth is refused without being shown', (t) => {
  const error = t.throws(() => credentialFor({ auth: Buffer.from('hunter2').toString('base64') }, hosts));
  t.false(error.message.includes('hunter2') || error.message.includes('aHVudGVyMg'));
});
