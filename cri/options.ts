import { existsSync } from 'node:fs';
import { address, bytes, choice, duration, integer, type Kind, optionalPath, path, paths, type RuntimePrograms, runtimePrograms, truth, word, words } from './options-kinds.ts';
import { nativeProgram } from './options-native.ts';
import { ulimits } from './options-ulimits.ts';

/** One option: command line, configuration file, help and docs page all come from it. */
export type Option<T> = {
  kind: Kind<T>;
  /** Headline under which help and docs list it. */
  group: 'Daemon' | 'Containers' | 'Images' | 'Network' | 'Streaming' | 'Observation';
  /** What a user needs to know, in one or two sentences. */
  help: string;
  /** The value when nobody says one. */
  fallback: () => T;
  /** When the fallback depends on the machine: how, in words, and a value that could be given instead. */
  automatic?: { text: string; sample: T };
  /** Name after `--` when it is not the key itself. */
  flag?: string;
  /** Only on the command line, not in a file. */
  flagOnly?: true;
};

/** All options by their key in `Config`; the key in dashes is the name on the command line and in the file. */
export const options = {
  listen: option('Daemon', path, '/run/berth/berth.sock', 'Unix socket of the CRI server (mode 0600). One that systemd hands over is served instead.'),
  root: option('Daemon', path, '/var/lib/berth', 'Images and writable layers; a file system that keeps data.'),
  state: option('Daemon', path, '/run/berth', 'What ends with the boot: pods, sockets, mounts. A tmpfs is mounted there unless it lies on one.'),
  config: {
    ...option('Daemon', path, '/etc/berth/berth.toml', 'Configuration file; berth.d/*.toml beside it are read after it, in the order of their names.'),
    flagOnly: true,
  },
  logLevel: option('Daemon', choice('debug', 'info', 'warn', 'error'), 'info', 'Least important messages to log.'),
  logFormat: option('Daemon', choice('text', 'json'), 'text', 'One line per message as text, or as a JSON object.'),
  native: {
    ...option('Daemon', path, '', 'The program berth-native, which holds engine and shims.'),
    fallback: nativeProgram,
    automatic: { text: 'the one built with this daemon, or $BERTH_NATIVE', sample: '/usr/libexec/berth/berth-native' },
  },

  defaultRuntime: {
    ...option('Containers', word('NAME'), '', 'OCI runtime of pods that ask for no handler.'),
    automatic: { text: 'the first of runc, crun and youki that works here', sample: 'runc' },
  },
  runtimes: {
    ...option('Containers', runtimePrograms, {} as RuntimePrograms, 'OCI runtime for the handler NAME; may be repeated. In the file a table [runtimes.NAME] with path, args, sandbox, platform and privileged-without-host-devices.'),
    flag: 'runtime',
  },
  runtimeTimeout: option('Containers', duration, 120_000, 'What an OCI runtime may take for one step of a container; then it is killed and the call fails.'),
  cgroupDriver: {
    ...option('Containers', choice('cgroupfs', 'systemd'), 'systemd', 'Who makes cgroups. The kubelet asks for it (RuntimeConfig) and follows.'),
    fallback: () => (existsSync('/run/systemd/system') ? 'systemd' : 'cgroupfs'),
    automatic: { text: 'systemd where systemd runs the machine, else cgroupfs', sample: 'systemd' },
  },
  defaultUlimits: option('Containers', ulimits, [], 'Limits of getrlimit(2) for every container; those left out are the daemon\'s own. They are lowered to what the daemon may set.'),
  absentMountSourcesToReject: option('Containers', paths, [], 'Host paths whose mount is an error when nothing is there; for all others a directory is made.'),
  imageVolumes: option('Containers', choice('mkdir', 'bind', 'ignore'), 'mkdir', 'Volumes that an image declares: make their directories in the root, bind them besides so that they can be written also in a read-only root, or ignore them.'),
  cdiSpecDirs: option('Containers', paths, ['/etc/cdi', '/var/run/cdi'], 'Directories of CDI files (JSON or YAML), read anew for each container that asks for a device; later ones count more.'),
  selinux: option('Containers', truth, true, 'Where SELinux is on and its policy knows containers: label each pod with a pair of categories of its own, and what is mounted for it.'),
  hostNetworkSelinux: option('Containers', truth, false, "Let SELinux confine also pods on the host's network; else only those of them that ask for a label."),

  imageStore: option('Images', optionalPath, '', 'Images and layers on a file system apart from containers; empty for below --root. Images of before are not moved.'),
  additionalImageStores: option('Images', paths, [], 'Roots (--root or --image-store) of other daemons whose images count as here and whose layers are not fetched again; they are only read, the first that has an image counts. Looked at again before each pull.'),
  registriesConf: option('Images', path, '/etc/containers/registries.conf', 'Mirrors, prefixes and insecure registries (containers-registries.conf(5)); its .d folder is read too. HTTPS_PROXY, HTTP_PROXY, NO_PROXY and SSL_CERT_FILE of the environment count.'),
  certsDirs: option(
    'Images', paths, ['/etc/containers/certs.d', '/etc/docker/certs.d', '/etc/containerd/certs.d'],
    'Folders with one folder for each registry HOST[:PORT]: authorities (*.crt), client certificates (*.cert with *.key), mirrors and headers (hosts.toml). Read at each pull.',
  ),
  pinnedImages: option('Images', words('PATTERN'), [], 'Images that the kubelet may not remove to make room, by name; * stands for any text.'),
  authFiles: option(
    'Images', paths, ['/etc/berth/auth.json', '/run/containers/0/auth.json', '/root/.config/containers/auth.json', '/root/.docker/config.json'],
    'Credentials for pulls that bring none (containers-auth.json(5), Docker\'s config.json); the first with an entry for the registry counts. Read at each pull.',
  ),
  namespaceAuthDir: option('Images', path, '/etc/berth/auth', 'Credentials for one namespace, which count before those files: NAMESPACE-SHA256(IMAGE).json, as the credential provider of CRI-O writes them, or NAMESPACE.json.'),

  signaturePolicy: option('Images', path, '/etc/containers/policy.json', 'Which images may be pulled and used, and by whom they must be signed (containers-policy.json(5)). Read at each pull and each container; where the default is not there, all are accepted.'),
  signaturePolicyDir: option('Images', path, '/etc/berth/policies', 'Policies of single namespaces, NAMESPACE.json, each of which holds there instead of that file.'),
  signatureLookasideDir: option('Images', path, '/etc/containers/registries.d', 'Where simple signatures are (containers-registries.d(5), lookaside).'),
  imageVerifierDir: option('Images', optionalPath, '/etc/berth/image-verifiers', 'Programs that must all agree to each pull: called as the image verifiers of containerd, with -name, -digest and the descriptor on stdin. One that fails or takes too long refuses the image.'),
  imageVerifierTimeout: option('Images', duration, 10_000, 'What one of them may take.'),
  pullStallTimeout: option('Images', duration, 30_000, 'A connection to a registry that brings less than --pull-stall-bytes of a layer in this time is given up, and the layer gone on with by another one; 0s for never.'),
  pullStallBytes: option('Images', bytes, 16 * 1024, 'What a connection has to bring in that time.'),
  layerUnpackedBytes: option('Images', bytes, 64 * 1024 ** 3, 'Most that one layer may unpack to, and one of its files may seem to have. A pull that would go beyond is refused, as with the next three.'),
  layerRatio: option('Images', integer('COUNT', 1, 1_000_000), 1000, 'Most unpacked bytes for each byte of a compressed layer; the first 64 MiB are free.'),
  layerInodes: option('Images', integer('COUNT', 1, 2 ** 32), 5_000_000, 'Most files, directories and other inodes that one layer may make.'),
  layerEntries: option('Images', integer('COUNT', 1, 2 ** 32), 10_000_000, 'Most entries that the archive of one layer may have, one path counted as often as it comes.'),

  cniConfigDir: option('Network', path, '/etc/cni/net.d', 'CNI configuration lists; the first by name counts. Changes are seen at once.'),
  cniPluginDirs: option('Network', paths, ['/opt/cni/bin', '/usr/lib/cni'], 'Where CNI plugins are looked for, in this order.'),
  cniTimeout: option('Network', duration, 180_000, 'What one CNI plugin may take to attach a pod; to release one it has a minute, or this where it is less.'),
  defaultCni: option('Network', truth, true, 'With no CNI configuration, write one (bridge, host-local, portmap) so that the node is ready at once.'),
  netnsDir: option('Network', path, '/run/netns', 'Where network namespaces of pods are pinned; CNI daemons look here.'),

  streamAddress: option('Streaming', word('ADDRESS'), '127.0.0.1', 'Where exec, attach and port-forward listen.'),
  streamPort: option('Streaming', integer('PORT', 0, 65_535), 0, 'Port of exec, attach and port-forward; 0 for any free one.'),
  streamTlsCert: option('Streaming', optionalPath, '', 'Certificate chain (PEM) for TLS on that port; empty for plain HTTP. Changed files count from the next URL on, without a restart.'),
  streamTlsKey: option('Streaming', optionalPath, '', 'Private key of that certificate (PEM).'),
  streamTlsClientCa: option('Streaming', optionalPath, '', 'Authorities (PEM) one of which must have signed the certificate of a client; empty lets in any client that has a URL.'),
  streamIdleTimeout: option('Streaming', duration, 4 * 3_600_000, 'A stream without a byte for so long is ended, as by the kubelet (streamingConnectionIdleTimeout); 0s for never.'),

  metricsAddress: option('Observation', address, '127.0.0.1:9537', 'Serves /metrics and /healthz; empty for off. When the default is taken, a warning is logged and nothing served.'),
  cadvisorSocket: option('Observation', optionalPath, '', 'Unix socket (mode 0600) on which the cAdvisor in the kubelet asks whose cgroup is whose; it looks at /run/crio/crio.sock. Empty for off.'),
  natsUrl: option('Observation', word('URL'), '', 'NATS server that lifecycle events are published to (subjects berth.v1.TYPE); empty for off.'),
} as const;

/** Key of an option in `Config`. */
export type OptionKey = keyof typeof options;

/** What an option's value is. */
export type OptionValue<K extends OptionKey> = (typeof options)[K] extends Option<infer T> ? T : never;

/** Each option with its key, in the order of help and docs; values untyped, for code that treats all alike. */
export const optionList: readonly (Option<unknown> & { key: OptionKey })[] = Object.entries(options).map(
  ([key, each]) => ({ ...(each as unknown as Option<unknown>), key: key as OptionKey }),
);

/** Name of an option on the command line, without the dashes before it. */
export function flagOf(each: { key: string; flag?: string }): string {
  return each.flag ?? nameOf(each.key);
}

/** Name of an option in the file: its key with dashes. */
export function nameOf(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

function option<T>(group: Option<T>['group'], kind: Kind<T>, fallback: NoInfer<T>, help: string): Option<T> {
  return { group, kind, fallback: () => fallback, help };
}
