import test from 'ava';
import { isKind } from '../../api/errors.ts';
import { parseHostsFile } from './hosts-file.ts';

test('mirrors come in the order of the file, with what each may be asked', (t) => {
  const { mirrors, server } = parseHostsFile(
    `
server = "https://registry-1.docker.io/"
ca = "docker.pem"
[host."https://mirror.local:5000/hub/v2/"]
capabilities = ["pull"]
override_path = true
ca = ["a.pem", "b.pem"]
client = [["client.cert", "client.key"], ["both.pem"]]
[host."https://mirror.local:5000/hub/v2/".header]
X-Key = ["one", "two"]
Authorization = "Basic eA=="
[host."http://plain.local"]
skip_verify = true
client = "both.pem"
`,
    'hosts.toml',
  );
  t.deepEqual(mirrors, [
    {
      url: 'https://mirror.local:5000/hub/v2',
      resolve: false,
      pull: true,
      overridePath: true,
      insecure: false,
      headers: { 'x-key': 'one, two', authorization: 'Basic eA==' },
      ca: ['a.pem', 'b.pem'],
      client: [
        { certificate: 'client.cert', key: 'client.key' },
        { certificate: 'both.pem', key: '' },
      ],
    },
    {
      url: 'http://plain.local',
      resolve: true,
      pull: true,
      overridePath: false,
      insecure: true,
      headers: {},
      ca: [],
      client: [{ certificate: 'both.pem', key: '' }],
    },
  ]);
  t.is(server.url, 'https://registry-1.docker.io');
  t.deepEqual(server.ca, ['docker.pem']);
});

test('a server that is not named is the registry itself', (t) => {
  t.is(parseHostsFile('[host."mirror.local"]', 'hosts.toml').server.url, '');
  t.is(parseHostsFile('[host."mirror.local"]', 'hosts.toml').mirrors[0]?.url, 'https://mirror.local');
});

for (const toml of ['server = "ftp://x"', 'server = "https://user:secret@x"', '[host."::"]', 'host = 7', 'ca = 7', 'not toml']) {
  test(`refused, naming the file: ${toml}`, (t) => {
    const error = t.throws(() => parseHostsFile(toml, '/certs.d/x/hosts.toml'));
    t.true(isKind(error, 'invalid'));
    t.regex(error.message, /\/certs\.d\/x\/hosts\.toml/);
  });
}
