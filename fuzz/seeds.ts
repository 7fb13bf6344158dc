const digest = `sha256:${'a'.repeat(64)}`;
const layer = (mediaType: string, more: object = {}): object => ({ mediaType, digest, size: 20, ...more });
const oci = 'application/vnd.oci.image';

export const references: readonly string[] = [
  ...['busybox', 'busybox:1.36', 'docker.io/library/busybox:latest', 'localhost:5000/app:v1', '[::1]:5000/app', 'index.docker.io/a__b/c--d.e:T_-.9'],
  ...[`quay.io/x/y@${digest}`, `quay.io/x/y:v1@${digest}`, 'UPPER/app', 'host.io:5000/a/b/c', digest],
];

export const manifests: readonly string[] = [
  { schemaVersion: 2, mediaType: `${oci}.manifest.v1+json`, config: layer(`${oci}.config.v1+json`), layers: [layer(`${oci}.layer.v1.tar+gzip`), layer(`${oci}.layer.v1.tar+zstd`)], annotations: { a: 'b' } },
  { schemaVersion: 2, mediaType: `${oci}.manifest.v1+json`, artifactType: 'application/x', config: layer('application/vnd.oci.empty.v1+json', { data: 'e30=' }), layers: [layer('text/plain', { annotations: { 'org.opencontainers.image.title': 'a/b' } })], subject: layer(`${oci}.manifest.v1+json`) },
  { schemaVersion: 2, mediaType: `${oci}.index.v1+json`, manifests: [layer(`${oci}.manifest.v1+json`, { platform: { os: 'linux', architecture: 'amd64', variant: 'v2', features: ['x'] } }), layer(`${oci}.index.v1+json`)] },
  { schemaVersion: 2, mediaType: 'application/vnd.docker.distribution.manifest.v2+json', config: layer('application/vnd.docker.container.image.v1+json'), layers: [layer('application/vnd.docker.image.rootfs.foreign.diff.tar.gzip')] },
  { schemaVersion: 1, name: 'a', fsLayers: [{ blobSum: digest }], history: [{ v1Compatibility: '{}' }] },
].map((each) => JSON.stringify(each));

export const configs: readonly string[] = [
  {
    created: '2024-01-01T00:00:00Z', architecture: 'amd64', os: 'linux', rootfs: { type: 'layers', diff_ids: [digest] },
    config: { User: '1000:1000', Env: ['A=b'], Entrypoint: ['/e'], Cmd: ['c'], WorkingDir: '/w', Labels: { l: '1' }, StopSignal: 'SIGINT', Volumes: { '/v': {} }, ExposedPorts: { '80/tcp': {} } },
  },
  { config: { Env: null, Cmd: null }, rootfs: { diff_ids: null } },
].map((each) => JSON.stringify(each));

export const challenges: readonly string[] = [
  'Bearer realm="https://auth.example/token",service="registry.example",scope="repository:a/b:pull"',
  'Basic realm="a \\"b\\"", Bearer realm=x,error=insufficient_scope',
];

export const hosts: readonly string[] = [
  'server = "https://registry.example"\n[host."https://mirror.example:5000"]\ncapabilities = ["pull", "resolve"]\nca = ["a.crt", "b.crt"]\nclient = [["c.cert", "c.key"]]\nskip_verify = true\noverride_path = true\n[host."https://mirror.example:5000".header]\nx = ["1", "2"]\n',
];

export const registries: readonly string[] = [
  'unqualified-search-registries = ["docker.io", "quay.io"]\nshort-name-mode = "enforcing"\n[aliases]\nbusybox = "docker.io/library/busybox"\n[[registry]]\nprefix = "*.example.com"\nlocation = "internal.example/x"\ninsecure = true\nblocked = false\nmirror-by-digest-only = true\n[[registry.mirror]]\nlocation = "m.example/y"\npull-from-mirror = "digest-only"\n',
  '[[registry]]\nprefix = "docker.io"\nlocation = "127.0.0.1:5000"\n',
];

export const auths: readonly string[] = [
  JSON.stringify({ auths: { 'registry.example/a': { auth: 'dXNlcjpwYXNz' }, 'https://index.docker.io/v1/': { identitytoken: 'x', username: 'a', password: 'b' } }, credHelpers: { 'b.example': 'secretservice' }, credsStore: 'pass' }),
];

export const cdi: readonly string[] = [
  'cdiVersion: "0.6.0"\nkind: "vendor.com/device"\ndevices:\n  - name: "gpu0"\n    containerEdits:\n      deviceNodes:\n        - {path: "/dev/null", type: c, major: 1, minor: 3, fileMode: 0660, permissions: rw, uid: 0}\n      env: ["A=b"]\n      hooks: [{hookName: prestart, path: /bin/true, args: [a], timeout: 3}]\ncontainerEdits:\n  mounts: [{hostPath: /a, containerPath: /b, options: [ro, bind]}]\n  intelRdt: {closID: x}\n',
  '{"cdiVersion":"1.1.0","kind":"a.b/c","annotations":{"a":"b"},"devices":[{"name":"x","containerEdits":{"additionalGids":[5],"netDevices":[{"hostInterfaceName":"eth0","name":"n"}]}}]}',
];

export const cni: readonly string[] = [
  JSON.stringify({ cniVersion: '1.0.0', cniVersions: ['0.4.0', '1.0.0'], name: 'net', plugins: [{ type: 'bridge', ipam: { type: 'host-local', ranges: [[{ subnet: '10.0.0.0/24' }]] }, capabilities: { portMappings: true } }, { type: 'portmap' }] }),
  JSON.stringify({ cniVersion: '0.3.1', name: 'one', type: 'macvlan' }),
];

export const policies: readonly string[] = [
  JSON.stringify({ default: [{ type: 'reject' }], transports: { docker: { 'quay.io/a': [{ type: 'signedBy', keyType: 'GPGKeys', keyPath: '/k', signedIdentity: { type: 'remapIdentity', prefix: 'a', signedPrefix: 'b' } }], '*.example.com': [{ type: 'sigstoreSigned', keyDatas: ['YQ=='] }] } } }),
  JSON.stringify({ default: [{ type: 'insecureAcceptAnything' }] }),
];

export const payloads: readonly string[] = [
  JSON.stringify({ critical: { type: 'atomic container signature', image: { 'docker-manifest-digest': digest }, identity: { 'docker-reference': 'a/b:1' } }, optional: { creator: 'x', timestamp: 1 } }),
];

/** Frames of a client: text, binary in two, ping and close; masked with zeros. */
export const webSocket: readonly Buffer[] = [
  Buffer.from('818500000000' + '68656c6c6f' + '0283000000000061' + '62' + '808100000000' + '63' + '898000000000' + '888200000000' + '03e8', 'hex'),
  Buffer.concat([Buffer.from('82fe012c01020304', 'hex'), Buffer.alloc(300, 7)]),
];

/** The buffers one after the other. */
export function join(...parts: readonly Buffer[]): Buffer {
  return Buffer.concat(parts);
}
