import test from 'ava';
import { judge, type Spec, specsIn } from './report.ts';

const spec = (name: string, State: string, Message = ''): Spec => ({
  LeafNodeType: 'It', LeafNodeText: name, ContainerHierarchyTexts: ['Suite'], State, Failure: { Message },
});
const impossible = { 'the moon': 'is too far' };

test('a suite in which only the impossible fails is as it has to be, and says what was skipped and why', (t) => {
  const specs = [spec('a', 'passed'), spec('reach the moon', 'failed', 'no'), spec('b', 'skipped', 'no AppArmor'), spec('c', 'skipped', 'no AppArmor')];
  t.deepEqual(judge('spdy', specs, { impossible, whole: true }), {
    ok: true,
    lines: [
      'failed: Suite › reach the moon\n    is too far',
      'skipped: no AppArmor\n    Suite › b\n    Suite › c',
      'critest spdy: 1 passed, 0 failed, 1 impossible here, 2 skipped',
    ],
  });
});

test('another failure, a panic, nothing that ran, and the impossible that passes are failures', (t) => {
  const ok = (specs: Spec[]) => judge('x', specs, { impossible, whole: true }).ok;
  t.true(ok([spec('a', 'passed'), spec('the moon', 'failed')]));
  t.false(ok([spec('a', 'passed'), spec('the moon', 'failed'), spec('b', 'failed')]));
  t.false(ok([spec('a', 'passed'), spec('the moon', 'failed'), spec('b', 'panicked')]));
  t.false(ok([spec('the moon', 'failed')]));
  t.false(ok([spec('a', 'passed'), spec('the moon', 'passed')]));
});

test('in a part of the suite the impossible may be missing, and what was not chosen is not told', (t) => {
  const { ok, lines } = judge('spdy', [spec('a', 'passed'), spec('b', 'skipped')], { impossible, whole: false });
  t.true(ok);
  t.deepEqual(lines, ['critest spdy: 1 passed, 0 failed, 0 impossible here, 0 skipped']);
});

test('set-up nodes of a report are no specs', (t) => {
  const suite = { SpecReports: [spec('a', 'passed'), { ...spec('', 'passed'), LeafNodeType: 'BeforeSuite' }] };
  t.is(specsIn(JSON.stringify([suite, { SpecReports: null }])).length, 1);
});
