import test from 'ava';
import { apparmorProfile, DEFAULT_APPARMOR_TEXT, profileNames } from './apparmor.ts';
import { security } from './example.ts';

const of = (changes: Parameters<typeof security>[0], loaded: string[] | null): string | null => apparmorProfile(security(changes), loaded);
const wish = (profile_type: 'RuntimeDefault' | 'Unconfined' | 'Localhost', localhost_ref = '') => ({ apparmor: { profile_type, localhost_ref } });

test('a profile of the node has to be loaded, and where AppArmor is off it is refused', (t) => {
  t.is(of(wish('Localhost', 'mine'), ['mine']), 'mine');
  t.is(of(wish('Localhost', 'localhost/mine'), ['mine']), 'mine');
  t.is(of({ apparmor_profile: 'localhost/mine' }, ['mine']), 'mine');
  t.throws(() => of(wish('Localhost', 'mine'), ['other']), { message: /mine is not loaded/ });
  t.throws(() => of(wish('Localhost', 'mine'), null), { message: /not enabled/ });
  t.throws(() => of(wish('Localhost'), ['']), { message: /without a name/ });
});

test('RuntimeDefault, and no wish at all, is the own profile where that is loaded', (t) => {
  for (const changes of [wish('RuntimeDefault'), {}, { apparmor_profile: 'runtime/default' }]) {
    t.is(of(changes, ['berth-default']), 'berth-default');
    t.is(of(changes, []), null);
    t.is(of(changes, null), null);
  }
});

test('Unconfined and privileged are without, and the field wins over the older string', (t) => {
  t.is(of(wish('Unconfined'), ['berth-default']), null);
  t.is(of({ apparmor_profile: 'unconfined' }, ['berth-default']), null);
  t.is(of({ ...wish('Localhost', 'mine'), privileged: true }, []), null);
  t.is(of({ ...wish('Unconfined'), apparmor_profile: 'localhost/mine' }, []), null);
});

test('names are read from the list that the kernel gives', (t) => {
  t.deepEqual(profileNames('/usr/sbin/a b (enforce)\nberth-default (complain)\n'), ['/usr/sbin/a b', 'berth-default']);
});

test('the default profile keeps its braces together', (t) => {
  t.is(DEFAULT_APPARMOR_TEXT.split('{').length, DEFAULT_APPARMOR_TEXT.split('}').length);
});
