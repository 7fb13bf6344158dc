import test from 'ava';
import { bandwidthOf, runtimeConfig, type PodFacts } from './runtime-config.ts';

const facts: PodFacts = {
  portMappings: [{ hostPort: 8080, containerPort: 80, protocol: 'tcp', hostIP: '' }],
  annotations: { team: 'a' },
  dns: { servers: ['10.0.0.10'], searches: ['svc'], options: [] },
  bandwidth: { ingress: 1_000_000, egress: null },
  podCidrs: ['10.1.0.0/24', 'fd00::/64'],
};
const all = {
  portMappings: true,
  bandwidth: true,
  dns: true,
  ipRanges: true,
  'io.kubernetes.cri.pod-annotations': true,
};

test('a plugin learns only what it declares a capability for', (t) => {
  t.deepEqual(runtimeConfig({ type: 'portmap', capabilities: { portMappings: true, dns: false } }, facts), {
    portMappings: facts.portMappings,
  });
  t.is(runtimeConfig({ type: 'bridge' }, facts), undefined);
  t.deepEqual(runtimeConfig({ type: 'x', capabilities: all }, facts), {
    portMappings: facts.portMappings,
    bandwidth: { ingressRate: 1_000_000, ingressBurst: 2_147_483_647 },
    dns: facts.dns,
    ipRanges: [[{ subnet: '10.1.0.0/24' }], [{ subnet: 'fd00::/64' }]],
    'io.kubernetes.cri.pod-annotations': { team: 'a' },
  });
});

test('what a pod does not have is not mentioned', (t) => {
  const nothing: PodFacts = { portMappings: [], annotations: {}, dns: null, bandwidth: null, podCidrs: [] };
  t.is(runtimeConfig({ type: 'x', capabilities: all }, nothing), undefined);
});

const quantities: [string, number | null][] = [
  ['10M', 10e6],
  ['1.5G', 1.5e9],
  ['1Ki', 1024],
  ['800', 800],
  ['0', null],
  ['-1M', null],
  ['fast', null],
  ['', null],
  ['1e9999', null],
];
for (const [text, bits] of quantities) {
  test(`bandwidth "${text}" is ${bits ?? 'no'} bits per second`, (t) => {
    const found = bandwidthOf({ 'kubernetes.io/egress-bandwidth': text });
    t.deepEqual(found, bits === null ? null : { ingress: null, egress: bits });
  });
}
