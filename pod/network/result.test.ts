import test from 'ava';
import { addresses } from './result.ts';

test('the pod has the addresses on its side, in the order of the plugin', (t) => {
  const interfaces = [{ name: 'br0' }, { name: 'eth0', sandbox: '/run/netns/x' }];
  const ips = [
    { interface: 1, address: 'fd00::2/64' },
    { interface: 0, address: '10.0.0.1/24' },
    { address: '10.0.0.2/24' },
  ];
  t.deepEqual(addresses({ cniVersion: '1.0.0', interfaces, ips }), ['fd00::2', '10.0.0.2']);
});

test('results of the first versions are understood', (t) => {
  t.deepEqual(addresses({ ip4: { ip: '10.0.0.2/24' }, ip6: { ip: 'fd00::2/64' } }), ['10.0.0.2', 'fd00::2']);
});

test('a result that makes no sense has no addresses', (t) => {
  t.deepEqual(addresses({ ips: [null, 7, { address: 5 }, { address: '' }], interfaces: 'x' }), []);
});
