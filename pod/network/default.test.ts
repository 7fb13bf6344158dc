import test from 'ava';
import { parseConfig } from './config.ts';
import { commonVersion, DEFAULT_FILE, DEFAULT_RANGES, defaultNetwork, hostHasIPv6, inPodCidrs } from './default.ts';

const config = parseConfig(DEFAULT_FILE, JSON.stringify(defaultNetwork('1.0.0', DEFAULT_RANGES)));
const address = (text: string, family: 'IPv4' | 'IPv6') =>
  ({ address: text, family, internal: false, netmask: '', mac: '', cidr: null, scopeid: 0 }) as never;

test('the version is the newest that all plugins know', (t) => {
  t.is(
    commonVersion([
      ['0.4.0', '1.0.0'],
      ['0.4.0', '1.0.0', '1.1.0'],
    ]),
    '1.0.0',
  );
  t.throws(() => commonVersion([['0.1.0'], ['1.0.0']]), { message: /share no version/ });
});

test('a host that reaches no IPv6 beyond its site gets no IPv6 range', (t) => {
  t.false(
    hostHasIPv6({ eth0: [address('fe80::1', 'IPv6'), address('fd00::2', 'IPv6'), address('192.0.2.1', 'IPv4')] }),
  );
  t.true(hostHasIPv6({ eth0: [address('2001:db8::1', 'IPv6')] }));
});

const rangesOf = (of: typeof config): unknown => (of.plugins[0]['ipam'] as { ranges: unknown }).ranges;

test("the node's pod range replaces the default one of its family", (t) => {
  t.deepEqual(rangesOf(inPodCidrs(config, ['10.1.2.0/24'], {})), [
    [{ subnet: '10.1.2.0/24' }],
    [{ subnet: DEFAULT_RANGES[1] }],
  ]);
  const serving = { berth0: [address('10.1.2.1', 'IPv4')] };
  t.deepEqual(rangesOf(inPodCidrs(config, ['10.1.2.0/24', 'fd01::/64'], serving)), [
    [{ subnet: '10.1.2.0/24' }],
    [{ subnet: 'fd01::/64' }],
  ]);
});

test('a bridge that serves another range, and a network of the operator, stay as they are', (t) => {
  t.is(inPodCidrs(config, ['10.1.2.0/24'], { berth0: [address('10.86.0.1', 'IPv4')] }), config);
  const own = { ...config, file: '10-own.conflist' };
  t.is(inPodCidrs(own, ['10.1.2.0/24'], {}), own);
});
