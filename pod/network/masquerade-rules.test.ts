import test from 'ava';
import { parseConfig, type PluginConfig } from './config.ts';
import { addition, chainName, jump, masqueradedRanges, removal, rulesOf, withoutMasquerade } from './masquerade-rules.ts';

const bridge = (changes: object = {}): PluginConfig => ({
  type: 'bridge',
  ipMasq: true,
  ipam: { type: 'host-local', ranges: [[{ subnet: '10.1.0.0/16' }], [{ subnet: 'fd01::/64' }]] },
  ...changes,
});

test('a bridge with fixed ranges can be masqueraded as a whole', (t) => {
  t.deepEqual(masqueradedRanges(bridge()), ['10.1.0.0/16', 'fd01::/64']);
  t.deepEqual(masqueradedRanges(bridge({ ipam: { type: 'host-local', subnet: '10.2.0.0/24' } })), ['10.2.0.0/24']);
});

const untouched: [string, PluginConfig][] = [
  ['another plugin', bridge({ type: 'ptp' })],
  ['a bridge that masquerades nothing', bridge({ ipMasq: false })],
  ['addresses from elsewhere', bridge({ ipam: { type: 'dhcp' } })],
  ['ranges that are told per pod', bridge({ capabilities: { ipRanges: true } })],
  ['masquerading by nftables', bridge({ ipMasqBackend: 'nftables' })],
];
for (const [what, plugin] of untouched)
  test(`${what} is left to the plugin`, (t) => t.deepEqual(masqueradedRanges(plugin), []));

test('only the bridge is told not to masquerade', (t) => {
  const config = parseConfig(
    'a',
    JSON.stringify({ name: 'n', cniVersion: '1.0.0', plugins: [bridge(), { type: 'portmap', ipMasq: true }] }),
  );
  t.deepEqual(
    withoutMasquerade(config).plugins.map((plugin) => plugin['ipMasq']),
    [false, true],
  );
});

test("what leaves the range bears the host's address, other traffic is left alone", (t) => {
  const chain = chainName('n', '10.1.0.0/16');
  t.true(chain.length <= 28);
  t.is(
    addition('n', '10.1.0.0/16'),
    `*nat
:${chain} - [0:0]
-A ${chain} -d 10.1.0.0/16 -j RETURN
-A ${chain} ! -d 224.0.0.0/4 -j MASQUERADE
-A POSTROUTING -s 10.1.0.0/16 -m comment --comment pods-of-network-n -j ${chain}
COMMIT
`,
  );
  t.regex(addition('n', 'fd01::/64'), /! -d ff00::\/8/);
});

test('the rules are taken away as they were made, those of ranges that the network had before too', (t) => {
  const chain = chainName('n', '10.1.0.0/16');
  const listing = `-P POSTROUTING ACCEPT
-A POSTROUTING -m comment --comment "CNI portfwd requiring masquerade" -j CNI-HOSTPORT-MASQ
-A ${jump('n', '10.1.0.0/16').join(' ')}
-A ${jump('nn', '10.3.0.0/16').join(' ')}
-A ${jump('n', '10.2.0.0/16').join(' ')}
-A POSTROUTING -s 10.4.0.0/16 -m comment --comment pods-of-network-n -j MASQUERADE
`;
  const [first, second, ...others] = rulesOf('n', listing);
  t.deepEqual(others, []);
  t.is(second?.chain, chainName('n', '10.2.0.0/16'));
  t.is(
    first && removal(first),
    `*nat
-D POSTROUTING -s 10.1.0.0/16 -m comment --comment pods-of-network-n -j ${chain}
-F ${chain}
-X ${chain}
COMMIT
`,
  );
});
