import test from 'ava';
import { proxyFor } from './proxy.ts';

const proxies = { HTTP_PROXY: 'http://plain:3128', HTTPS_PROXY: 'secure:3128' };

test('the scheme chooses the proxy, in either case of the variable', (t) => {
  t.is(proxyFor('http://r.example/v2/', proxies), 'http://plain:3128');
  t.is(proxyFor('https://r.example/v2/', proxies), 'http://secure:3128');
  t.is(proxyFor('https://r.example/v2/', { https_proxy: 'http://u:p@lower:1' }), 'http://u:p@lower:1');
  t.is(proxyFor('https://r.example/v2/', { HTTP_PROXY: 'http://plain:3128' }), '');
});

test('the loopback interface is asked directly', (t) => {
  for (const host of ['localhost:5000', '127.0.0.1:5000', '127.1.2.3', '[::1]:5000']) {
    t.is(proxyFor(`http://${host}/v2/`, proxies), '', host);
  }
});

const exclusions: [entry: string, host: string, excluded: boolean][] = [
  ['*', 'r.example', true],
  ['r.example', 'r.example', true],
  ['r.example', 'sub.r.example', true],
  ['r.example', 'other-r.example', false],
  ['.r.example', 'sub.r.example', true],
  ['.r.example', 'r.example', false],
  ['*.r.example', 'a.sub.r.example', true],
  ['R.example:5000', 'r.example:5000', true],
  ['r.example:5000', 'r.example:5001', false],
  ['10.0.0.1', '10.0.0.1:5000', true],
  ['10.0.0.0/8', '10.200.0.1:5000', true],
  ['10.0.0.0/8', '11.0.0.1', false],
  ['10.0.0.0/99', '10.0.0.1', false],
  ['fd00::/8', '[fd00::5]:5000', true],
  ['::1', '[fd00::5]', false],
  ['[fd00::5]:5000', '[fd00::5]:5000', true],
  ['a.example, r.example', 'r.example', true],
  [' , ', 'r.example', false],
];
for (const [entry, host, excluded] of exclusions) {
  test(`NO_PROXY=${entry} ${excluded ? 'excludes' : 'does not exclude'} ${host}`, (t) => {
    t.is(proxyFor(`https://${host}/v2/`, { ...proxies, NO_PROXY: entry }), excluded ? '' : 'http://secure:3128');
  });
}
