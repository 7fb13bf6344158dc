import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { EngineCalls, EngineEvents } from './engine.ts';
import type { FrameError } from './frame.ts';
import type { ExecStatus, Resize, ShimCalls, ShimEvents } from './shim.ts';

const id = '4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945';
const pod = '7d865e959b2466918c9863afca942d0fb89d7c9ac0c99bafc3749504ded97730';
const cgroup = { memory: `/sys/fs/cgroup/memory/kubepods/crio-${id}`, pids: `/sys/fs/cgroup/pids/kubepods/crio-${id}` };
const runtime = { path: '/usr/sbin/runc', args: ['--debug'], root: '/run/berth/runc', systemdCgroup: false, sandboxed: false };
const stall = { avg10: 1.5, avg60: 0.25, avg300: 0.5, total: '18446744073709551615' };
const idMappings = {
  uids: [{ containerId: 0, hostId: 131_072, size: 65_536 }],
  gids: [{ containerId: 0, hostId: 196_608, size: 65_536 }],
};
const atNs = '1754000000123456789';

const engineCalls = {
  hello: { ask: { protocol: 1 }, reply: { protocol: 1, version: '0.1.0', pid: 4242 } },
  cancel: { ask: { of: 17 }, reply: {} },
  prepareState: { ask: { dir: '/run/berth' }, reply: { mounted: true } },
  releaseState: { ask: { dir: '/run/berth' }, reply: { released: false } },
  spawnShim: {
    ask: {
      pod: {
        id: pod,
        socket: '/run/berth/s/7d865e959b246691',
        directory: '/run/berth/p/7d865e959b246691',
        network: 'pod',
        netnsPath: `/run/netns/${pod}`,
        ipc: 'pod',
        uts: 'host',
        pid: 'container',
        hostname: 'web-0',
        sysctls: { 'net.ipv4.ip_unprivileged_port_start': '0' },
        user: idMappings,
        shm: { path: '/run/berth/p/7d865e959b246691/shm', sizeBytes: 67_108_864 },
        selinux: { process: 'system_u:system_r:container_t:s0:c1,c2', mount: 'system_u:object_r:container_file_t:s0:c1,c2' },
        cgroup: { unified: `/sys/fs/cgroup/kubepods.slice/berth-shim-${pod}` },
        oomScoreAdj: -999,
      },
    },
    reply: { pid: 4243, pausePid: 0, userNamespace: '/run/berth/p/7d865e959b246691/user' },
  },
  releasePod: {
    ask: {
      shm: '/run/berth/p/7d865e959b246691/shm',
      netnsPath: `/run/netns/${pod}`,
      cgroup,
      directory: '/run/berth/p/7d865e959b246691',
      socket: '/run/berth/s/7d865e959b246691',
    },
    reply: {},
  },
  unpinNetns: { ask: { path: `/run/netns/${pod}` }, reply: {} },
  run: {
    ask: {
      lane: 'cni-add',
      path: '/usr/lib/cni/bridge',
      args: [],
      env: { CNI_COMMAND: 'ADD' },
      stdin: '{"cniVersion":"1.0.0"}',
      timeoutMs: 220_000,
    },
    reply: { exitCode: 0, signal: 0, stdout: '{"cniVersion":"1.0.0"}', stderr: 'ünïcode' },
  },
  mountRootfs: {
    ask: {
      target: '/run/berth/p/7d865e959b246691/rootfs',
      lower: ['/var/lib/berth/layers/sha256-bb', '/var/lib/berth/layers/sha256-aa'],
      upper: '/var/lib/berth/upper/4f53cda18c2baa0c',
      work: '/var/lib/berth/work/4f53cda18c2baa0c',
      idmap: { userNamespace: '/run/berth/p/7d865e959b246691/user', stage: '/run/berth/p/7d865e959b246691/layers' },
      label: 'system_u:object_r:container_file_t:s0:c1,c2',
      read: ['/etc/passwd', '/etc/group'],
    },
    reply: { files: { '/etc/passwd': 'root:x:0:0::/root:/bin/sh\n' } },
  },
  mountImage: {
    ask: { target: `/run/berth/containers/${id}/images/0`, lower: ['/var/lib/berth/layers/aa'], idmap: null, label: '', subPath: 'models/small' },
    reply: { path: `/run/berth/containers/${id}/images/0/models/small` },
  },
  findSources: {
    ask: { sources: [{ path: '/var/lib/link', make: true }, { path: '/none', make: false }] },
    reply: { found: [{ path: '/srv/data', error: '' }, { path: '', error: 'No such file or directory (os error 2)' }] },
  },
  readTexts: {
    ask: { paths: ['/etc/profile.json', '/none'], maxBytes: 1_048_576 },
    reply: { texts: [{ text: '{}', error: '' }, { text: '', error: 'No such file or directory (os error 2)' }] },
  },
  relabel: { ask: { trees: ['/var/lib/volume'], label: 'system_u:object_r:container_file_t:s0:c1,c2' }, reply: {} },
  makeVolumes: {
    ask: { rootfs: `/run/berth/containers/${id}/rootfs`, volumes: ['/var/run/data'], uid: 1000, gid: 1000 },
    reply: { paths: [`/run/berth/containers/${id}/rootfs/run/data`] },
  },
  tryIdmap: { ask: { dir: '/var/lib/berth' }, reply: { obstacle: 'invalid argument' } },
  removeTrees: { ask: { unmount: ['/run/berth/p/1/rootfs'], remove: ['/var/lib/berth/upper/1'] }, reply: {} },
  notify: { ask: { socket: '/run/systemd/notify', pid: 4100, state: 'READY=1\nMAINPID=4100' }, reply: {} },
  removeCgroup: { ask: { dirs: cgroup, timeoutMs: 5000, pid: 4245 }, reply: { end: { exitCode: 137, signal: 9 } } },
  sample: {
    ask: { mounts: { memory: '/sys/fs/cgroup/memory' }, groups: [{ id, path: `/kubepods/crio-${id}` }], networks: [{ id: pod, pid: 4243 }] },
    reply: {
      groups: [
        {
          id,
          atNs,
          monotonicNs: '86400000000000',
          cpuUsageNs: '18446744073709551615',
          memoryUsageBytes: '4096000',
          workingSetBytes: '4000000',
          rssBytes: '3000000',
          pageFaults: '12',
          majorPageFaults: '1',
          swapUsageBytes: '0',
          memoryLimitBytes: '67108864',
          swapLimitBytes: '0',
          pids: '2',
          oomKills: '0',
          pressure: { cpu: { some: stall, full: stall }, memory: { some: stall, full: stall }, io: { some: stall, full: stall } },
        },
      ],
      networks: [{ id: pod, interfaces: [
        { name: 'eth0', rxBytes: '1', rxPackets: '2', rxErrors: '3', rxDropped: '4', txBytes: '5', txPackets: '6', txErrors: '7', txDropped: '8' },
      ] }],
    },
  },
  measure: {
    ask: { mounts: cgroup, groups: [{ id, path: `/kubepods/crio-${id}`, pid: 4245 }], files: [['memory', 'memory.stat']] },
    reply: { groups: [{ id, texts: ['cache 0\n'], processes: 1, fileDescriptors: 5, sockets: 2, limits: 'Limit\n' }] },
  },
  diskUsage: { ask: { paths: ['/var/lib/berth/upper/1'] }, reply: { usage: [{ bytes: '8192', inodes: '2' }, null] } },
  statfs: {
    ask: { path: '/var/lib/berth' },
    reply: {
      totalBytes: '1099511627776',
      freeBytes: '9007199254740993',
      totalInodes: '65536',
      freeInodes: '60000',
      type: 'ext4',
    },
  },
  fetchLayer: {
    ask: {
      url: 'https://registry.example:5000/v2/app/blobs/sha256:aa',
      headers: { Authorization: 'Bearer xyz' },
      addresses: ['192.0.2.1', '2001:db8::1'],
      proxy: 'http://user:secret@192.0.2.7:3128',
      caPem: '',
      clientPem: '',
      insecure: false,
      digest: `sha256:${id}`,
      sizeBytes: 5_000_000_000,
      compression: 'zstd',
      diffId: `sha256:${pod}`,
      target: '/var/lib/berth/layers/tmp-1',
      minBytesPerStall: 1024,
      stallMs: 30_000,
      limits: { unpackedBytes: 68_719_476_736, ratio: 1000, inodes: 5_000_000, entries: 10_000_000 },
      file: 'models/tiny.gguf',
      sums: '/var/lib/berth/layers/tmp-1.sums',
    },
    reply: { unpackedBytes: '9007199254740993', usedBytes: '4096', inodes: '3', implied: ['tmp'] },
  },
  giveSource: {
    ask: {
      of: 17,
      source: {
        url: 'https://mirror.example/v2/app/blobs/sha256:aa',
        headers: { Authorization: 'Bearer abc' },
        addresses: ['192.0.2.1'],
        proxy: '',
        caPem: '',
        clientPem: '',
        insecure: false,
      },
    },
    reply: {},
  },
  giveWay: { ask: { ms: 150 }, reply: {} },
  unpackLayer: {
    ask: {
      path: '/var/lib/berth/tmp/1',
      offset: 5_000_000_000,
      digest: `sha256:${id}`,
      sizeBytes: 512,
      compression: 'none',
      diffId: `sha256:${pod}`,
      target: '/var/lib/berth/layers/tmp-1',
      limits: { unpackedBytes: 68_719_476_736, ratio: 1000, inodes: 5_000_000, entries: 10_000_000 },
      sums: '/var/lib/berth/layers/tmp-1.sums',
    },
    reply: { unpackedBytes: '9007199254740993', usedBytes: '4096', inodes: '3', implied: ['tmp'] },
  },
  verifyLayer: {
    ask: { directory: '/var/lib/berth/layers/aa', sums: '/var/lib/berth/sums/aa' },
    reply: { verified: true, files: 5, missing: 1, damaged: 2, names: ['passwd', 'sh'] },
  },
  packLayer: {
    ask: { directory: '/var/lib/berth/layers/aa', target: '/var/lib/berth/tmp/2' },
    reply: { digest: `sha256:${'a'.repeat(64)}`, sizeBytes: '9007199254740993' },
  },
  commitLayers: {
    ask: {
      moves: [
        { from: '/var/lib/berth/tmp/1', to: '/var/lib/berth/layers/aa', implied: ['tmp'], below: ['/var/lib/berth/layers/bb'] },
      ],
    },
    reply: {},
  },
} satisfies EngineCalls;

const engineEvents = {
  progress: { of: 17, bytes: '1048576' },
  sourceLost: { of: 17, bytes: '1048576', kind: 'denied', message: 'the registry answers 401 Unauthorized' },
  log: { level: 'warn', message: 'no cpuset controller' },
} satisfies EngineEvents;

const exit = { exitCode: 137, signal: 9, oomKilled: true, finishedAtNs: atNs };

const shimCalls = {
  hello: {
    ask: { protocol: 1, speaks: { oldest: 1, newest: 2 }, sinceSeq: -1 },
    reply: {
      protocol: 2,
      speaks: { oldest: 1, newest: 2 },
      version: '0.1.0',
      pid: 4243,
      pausePid: 4244,
      seq: 7,
      containers: [
        { id, state: 'stopped', pid: 4245, startedAtNs: atNs, exit },
        { id: pod, state: 'running', pid: 4246, startedAtNs: atNs, exit: null },
      ],
    },
  },
  create: {
    ask: {
      container: id,
      bundle: `/run/berth/c/${id}`,
      runtime,
      logPath: '/var/log/pods/web/0.log',
      logDirectory: '/var/log/pods/web',
      tty: false,
      stdin: true,
      stdinOnce: true,
      cgroup,
      timeoutMs: 120_000,
    },
    reply: { pid: 4245 },
  },
  start: { ask: { container: id, timeoutMs: 60_000 }, reply: { startedAtNs: atNs } },
  stop: { ask: { container: id, signal: 15, graceMs: 30_000 }, reply: {} },
  delete: { ask: { container: id, timeoutMs: 60_000 }, reply: {} },
  reopenLog: { ask: { container: id }, reply: {} },
  update: {
    ask: { container: id, resources: { memory: { limit: 67_108_864 } }, timeoutMs: 60_000 },
    reply: {},
  },
  exec: {
    ask: {
      container: id,
      exec: 'e1',
      process: { cwd: '/', args: ['true'], user: { uid: 0, gid: 0 } },
      tty: false,
      stdin: false,
      timeoutMs: 10_000,
    },
    reply: { pid: 4250 },
  },
  attach: { ask: { container: id, stdin: true, stdout: true, stderr: false }, reply: { tty: true } },
  dial: { ask: { port: 8080 }, reply: {} },
  leaveNetwork: { ask: {}, reply: {} },
  quit: { ask: {}, reply: {} },
  upgrade: {
    ask: { path: '/usr/libexec/berth/0.2.0/berth-native', timeoutMs: 10_000 },
    reply: { version: '0.2.0', speaks: { oldest: 1, newest: 2 } },
  },
} satisfies ShimCalls;

const shimEvents = {
  exit: { container: id, pid: 4245, ...exit },
  oom: { container: id },
  logLost: { container: id, records: 12, reason: 'No space left on device (os error 28)' },
} satisfies ShimEvents;

const shimPackets = {
  status: { exitCode: 126, signal: 0, timedOut: false, message: 'exec /nope: no such file', kind: 'invalid' },
  resize: { width: 120, height: 40 },
} satisfies { status: Required<ExecStatus>; resize: Resize };

/** One example of every message between our processes; `frames.examples.json` is the same for the Rust side. */
export const examples = {
  engine: { calls: engineCalls, events: engineEvents },
  shim: { calls: shimCalls, events: shimEvents, packets: shimPackets },
  error: { kind: 'not-found', message: `no container ${id}` } satisfies FrameError,
};

const json = new URL('frames.examples.json', import.meta.url);

/** The examples as the Rust tests read them. */
export function readExamples(): unknown {
  return JSON.parse(readFileSync(json, 'utf8'));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(json, `${JSON.stringify(examples, null, 2)}\n`);
