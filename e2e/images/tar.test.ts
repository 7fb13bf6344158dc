import { execFileSync } from 'node:child_process';
import test from 'ava';
import { tarOf } from './tar.ts';

test('GNU tar lists every kind of member with its mode, owner and target', (t) => {
  const long = `deep/${'x'.repeat(120)}`;
  const tar = tarOf([
    { path: 'etc', type: 'directory' },
    { path: 'etc/passwd', type: 'file', content: 'root:x:0:0::/:/bin/sh\n', uid: 3, gid: 4 },
    { path: 'etc/same', type: 'hardlink', target: 'etc/passwd', mode: 0o4755 },
    { path: 'link', type: 'symlink', target: 'etc' },
    { path: 'null', type: 'character', device: [1, 3] },
    { path: long, type: 'file', content: 'long' },
  ]);
  const listing = execFileSync('tar', ['-tv', '--numeric-owner'], { input: tar, encoding: 'utf8' });
  t.regex(listing, /^drwxr-xr-x 0\/0 .* etc$/m);
  t.regex(listing, /^-rw-r--r-- 3\/4 +22 .* etc\/passwd$/m);
  t.regex(listing, /^hrwsr-xr-x .* etc\/same link to etc\/passwd$/m);
  t.regex(listing, /^lrwxrwxrwx .* link -> etc$/m);
  t.regex(listing, /^crw-r--r-- 0\/0 +1,3 .* null$/m);
  t.true(listing.includes(long));
});
