import test from 'ava';
import { historyOf } from './history.ts';

test('steps have their layers in order; empty ones have none, and layers without a step come last', (t) => {
  const rawConfig = JSON.stringify({
    history: [
      { created: '2020-01-01T00:00:00Z', created_by: 'ADD a', comment: 'first' },
      { created_by: 'ENV x=y', empty_layer: true },
      { created_by: 'ADD b' },
    ],
  });
  t.deepEqual(historyOf({ rawConfig, layers: ['a', 'b', 'c'] }), [
    { created: '2020-01-01T00:00:00Z', createdBy: 'ADD a', comment: 'first', layer: 'a' },
    { created: '', createdBy: 'ENV x=y', comment: '', layer: '' },
    { created: '', createdBy: 'ADD b', comment: '', layer: 'b' },
    { created: '', createdBy: '', comment: '', layer: 'c' },
  ]);
});

test('more steps than layers have empty layers, and a configuration without history tells none', (t) => {
  const rawConfig = JSON.stringify({ history: [{}, {}] });
  t.deepEqual(historyOf({ rawConfig, layers: ['a'] }).map(({ layer }) => layer), ['a', '']);
  t.deepEqual(historyOf({ rawConfig: '{}', layers: [] }), []);
  t.throws(() => historyOf({ rawConfig: '{"history": 1}', layers: [] }), { message: /history is no list/ });
});
