import test from 'ava';
import type { ResolvedUser } from './input.ts';
import { parseGroup, parsePasswd } from './accounts.ts';
import { security } from './example.ts';
import { resolveUser } from './user.ts';

const etc = {
  passwd: 'root:x:0:0:root:/root:/bin/sh\nwww:x:33:34::/:\nbuild:x:1000:1000::/:\n1000:x:0:0:trap:/:\n',
  group: 'root:x:0:\nweb:x:34:\nlogs:x:50:www, other\nteam:x:50000:build\n',
};

const id = (value: number): { value: string } => ({ value: String(value) });

const rows: [string, Parameters<typeof security>[0], string, ResolvedUser][] = [
  ['nobody asks: root', {}, '', { uid: 0, gid: 0, groups: [0] }],
  ['the image names a user: its groups come along', {}, 'www', { uid: 33, gid: 34, groups: [34, 50] }],
  ['the image names an id', {}, '33', { uid: 33, gid: 34, groups: [34, 50] }],
  ['the image names user and group', {}, 'www:web', { uid: 33, gid: 34, groups: [34, 50] }],
  ['the image names ids that no file knows', {}, '1003:1004', { uid: 1003, gid: 1004, groups: [1004] }],
  ['an id that no file knows has group 0', { run_as_user: id(4242) }, 'www:web', { uid: 4242, gid: 0, groups: [0] }],
  [
    "the kubelet's id wins over the image and is never taken for a name",
    { run_as_user: id(1000) },
    'root',
    { uid: 1000, gid: 1000, groups: [1000, 50000] },
  ],
  ["the kubelet's name", { run_as_username: 'www' }, '', { uid: 33, gid: 34, groups: [34, 50] }],
  ['a group of its own', { run_as_user: id(1000), run_as_group: id(7) }, '', { uid: 1000, gid: 7, groups: [7, 50000] }],
  [
    'groups are merged',
    { run_as_user: id(1000), supplemental_groups: ['1234', '7'] },
    '',
    { uid: 1000, gid: 1000, groups: [1000, 50000, 1234, 7] },
  ],
  [
    'groups are strict',
    { run_as_user: id(1000), supplemental_groups: ['1234'], supplemental_groups_policy: 'Strict' },
    '',
    { uid: 1000, gid: 1000, groups: [1000, 1234] },
  ],
];
for (const [what, asked, imageUser, expected] of rows) {
  test(what, (t) => t.deepEqual(resolveUser({ security: security(asked), imageUser, etc }), expected));
}

const refused: [string, Parameters<typeof security>[0], string, RegExp][] = [
  ['a group without a user', { run_as_group: id(7) }, '', /run_as_group is set without/],
  ['a name that the image lacks', { run_as_username: 'ghost' }, '', /user ghost is not in/],
  ['an image whose user it lacks', {}, 'ghost', /user ghost is not in/],
  ['an image whose group it lacks', {}, 'www:ghosts', /group ghosts of the image's user/],
  ['an id that is too large', { run_as_user: { value: '4294967296' } }, '', /run_as_user: 4294967296/],
  ['a negative id', { run_as_user: { value: '-1' } }, '', /run_as_user: -1/],
];
for (const [what, asked, imageUser, message] of refused) {
  test(`${what} is refused`, (t) => {
    t.throws(() => resolveUser({ security: security(asked), imageUser, etc }), { message });
  });
}

test('lines that make no sense are passed over', (t) => {
  t.deepEqual(parsePasswd('\n# x:x:1:1\nbroken\nhalf:x:1\nbig:x:99999999999:1::/:\nok:x:5:6\r\n'), [
    { name: 'ok', uid: 5, gid: 6 },
  ]);
  t.deepEqual(parseGroup('g:x:nan:\nok:x:5:a,,b \n:::\n'), [{ name: 'ok', gid: 5, members: ['a', 'b'] }]);
});

test('whatever bytes an image has for its accounts, parsing ends and gives ids in range', (t) => {
  const alphabet = ['root', ':', '\n', '0', '-1', '\0', '9'.repeat(30), ' ', ',', '\u{1f600}', '#'];
  for (let seed = 1; seed < 2000; seed++) {
    let state = seed;
    const next = (): number => (state = (state * 1103515245 + 12345) & 0x7fffffff);
    const text = Array.from({ length: next() % 60 }, () => alphabet[(next() >> 8) % alphabet.length]).join('');
    const ids = [...parsePasswd(text).flatMap(({ uid, gid }) => [uid, gid]), ...parseGroup(text).map(({ gid }) => gid)];
    t.true(ids.every((value) => Number.isInteger(value) && value >= 0 && value < 2 ** 31));
  }
});
