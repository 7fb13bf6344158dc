import test from 'ava';
import { CAPABILITIES, capabilities, DEFAULT_CAPABILITIES } from './capabilities.ts';

const own = CAPABILITIES.filter((name) => name !== 'CAP_SYS_RESOURCE');
const ask = (add: string[] = [], drop: string[] = [], ambient: string[] = []) => ({
  add_capabilities: add,
  drop_capabilities: drop,
  add_ambient_capabilities: ambient,
});
const bounding = (asked: ReturnType<typeof ask> | null, privileged = false): string[] =>
  capabilities(asked, privileged, own).bounding.toSorted();

test("the default is CRI-O's", (t) => t.deepEqual(bounding(null), DEFAULT_CAPABILITIES.toSorted()));

test('names count with or without prefix and in any case', (t) => {
  t.true(bounding(ask(['net_admin'])).includes('CAP_NET_ADMIN'));
  t.false(bounding(ask([], ['CAP_CHOWN'])).includes('CAP_CHOWN'));
});

test('ALL goes both ways', (t) => {
  t.deepEqual(bounding(ask(['ALL'])), own.toSorted());
  t.deepEqual(bounding(ask([], ['ALL'])), []);
  t.deepEqual(bounding(ask(['CHOWN'], ['all'])), ['CAP_CHOWN']);
  t.deepEqual(bounding(ask(['ALL'], ['SYS_ADMIN'])), own.filter((name) => name !== 'CAP_SYS_ADMIN').toSorted());
});

test('nobody gets what the daemon does not have', (t) => {
  t.false(bounding(ask(['SYS_RESOURCE'])).includes('CAP_SYS_RESOURCE'));
  t.deepEqual(bounding(null, true), own.toSorted());
});

test('nothing is inheritable but what is ambient', (t) => {
  t.deepEqual(capabilities(null, false, own).inheritable, []);
  const sets = capabilities(ask([], [], ['NET_RAW']), false, own);
  t.deepEqual([sets.ambient, sets.inheritable], [['CAP_NET_RAW'], ['CAP_NET_RAW']]);
  t.true(sets.permitted.includes('CAP_NET_RAW') && sets.bounding.includes('CAP_NET_RAW'));
});

test('a name that Linux does not know is refused', (t) => {
  t.throws(() => bounding(ask(['FLY'])), { message: /capability FLY is not known/ });
});
