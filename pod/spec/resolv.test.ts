import test from 'ava';
import { resolvConf } from './resolv.ts';

test("the kubelet's wish becomes the file, no wish the host's own", (t) => {
  const dns = { servers: ['10.0.0.10', 'fd00::a'], searches: ['default.svc', 'svc'], options: ['ndots:5', 'edns0'] };
  t.is(
    resolvConf(dns, 'host'),
    'search default.svc svc\nnameserver 10.0.0.10\nnameserver fd00::a\noptions ndots:5 edns0\n',
  );
  t.is(resolvConf(null, 'nameserver 192.0.2.1\n'), 'nameserver 192.0.2.1\n');
  t.is(resolvConf({ servers: [], searches: [], options: [] }, 'host'), 'host');
});
