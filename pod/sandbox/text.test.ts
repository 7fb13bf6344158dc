import test from 'ava';
import { podConfig } from '../spec/example.ts';
import { refuseUnsafeText } from './text.ts';

const dns = { servers: ['10.0.0.1', 'fe80::1%eth0'], searches: ['a.b', 'svc.cluster.local'], options: ['ndots:5'] };

test('what the kubelet writes passes', (t) => {
  t.notThrows(() => refuseUnsafeText(podConfig({ hostname: 'web-0.sub_x', dns_config: dns, log_directory: '/var/log/pods/a_b..c_d' })));
  t.notThrows(() => refuseUnsafeText(podConfig({ hostname: '', dns_config: null, log_directory: '' })));
});

const unsafe: [string, Parameters<typeof podConfig>[0]][] = [
  ['a second line of hosts', { hostname: 'a\n10.0.0.1 bank' }],
  ['a second name', { hostname: 'a b' }],
  ['more than the kernel takes', { hostname: 'a'.repeat(65) }],
  ['a second line of resolv.conf', { dns_config: { ...dns, servers: ['10.0.0.1\noptions debug'] } }],
  ['two searches in one', { dns_config: { ...dns, searches: ['a b'] } }],
  ['an option with a line feed', { dns_config: { ...dns, options: ['x\r'] } }],
  ['logs beside the daemon', { log_directory: 'relative' }],
  ['logs elsewhere', { log_directory: '/var/log/pods/../../../etc' }],
  ['logs in a folder with a line feed', { log_directory: '/var/log/a\nb' }],
];
for (const [what, changes] of unsafe) {
  test(`refused: ${what}`, (t) => {
    t.throws(() => refuseUnsafeText(podConfig(changes)), { message: /it takes/ });
  });
}
