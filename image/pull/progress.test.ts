import { setTimeout as sleep } from 'node:timers/promises';
import test from 'ava';
import type { LifecycleEvent } from '../../api/events.ts';
import type { Counter, Fields } from '../../api/observe.ts';
import { buildImage } from '../fixtures/image.ts';
import { openTestImages } from '../fixtures/opened.ts';
import { startTestRegistry } from '../fixtures/registry.ts';
import { openProgress, type ProgressOptions } from './progress.ts';

type Told = { events: LifecycleEvent[]; lines: [string, Fields | undefined][]; bytes: number[]; heard: () => Promise<void> };

function open(every: Pick<ProgressOptions, 'eventEveryMs' | 'logEveryMs'>) {
  const told: Told = { events: [], lines: [], bytes: [], heard: () => new Promise((resolve) => (next = resolve)) };
  let next: () => void = () => undefined;
  const ignore = (): void => undefined;
  const log = { debug: ignore, warn: ignore, error: ignore, info: (...line: [string, Fields?]) => void told.lines.push([line[0], line[1]]) };
  const meter = { stage: ignore, limit: ignore, count: (_: Counter, by = 1) => void told.bytes.push(by) };
  const publish = (event: LifecycleEvent): void => {
    told.events.push(event);
    next();
  };
  return { told, progress: openProgress({ log, meter, publish, ...every }) };
}
const layers = [{ digest: 'sha256:a', sizeBytes: 100 }, { digest: 'sha256:b', sizeBytes: 50 }];

test('a pull is told as a whole and by layer, at intervals as event and line, until it ends', async (t) => {
  const { told, progress } = open({ eventEveryMs: 5, logEveryMs: 0 });
  const end = progress.watch('x.io/app:v1', layers);
  const layer = progress.layer('sha256:a');
  layer.to(40n);
  const state = {
    image: 'x.io/app:v1',
    bytes: 40,
    totalBytes: 150,
    layers: [{ digest: 'sha256:a', bytes: 40, totalBytes: 100 }, { digest: 'sha256:b', bytes: 0, totalBytes: 50 }],
  };
  t.deepEqual(progress.pulls(), [state]);
  t.is(progress.layersInFlight(), 1);
  await told.heard();
  t.like(told.events[0], { type: 'image.pulling', image: 'x.io/app:v1', progress: state });
  t.like(told.lines[0]?.[1], { image: 'x.io/app:v1', percent: 26, bytes: 40, totalBytes: 150, layersDone: 0, layers: 2 });
  layer.to(100n);
  layer.done();
  end();
  const { length } = told.events;
  await sleep(30);
  t.is(told.events.length, length);
  t.deepEqual([progress.pulls(), progress.layersInFlight()], [[], 0]);
});

test('two pulls that wait for one layer both show it, and its bytes are counted once', (t) => {
  const { told, progress } = open({});
  const ends = ['x.io/a:1', 'x.io/b:1'].map((image) => progress.watch(image, layers.slice(0, 1)));
  const layer = progress.layer('sha256:a');
  layer.to(10n);
  layer.to(30n);
  t.deepEqual(progress.pulls().map(({ bytes }) => bytes), [30, 30]);
  t.deepEqual(told.bytes, [10, 20]);
  layer.to(5n);
  t.deepEqual(told.bytes, [10, 20, 5], 'a fetch that begins anew downloads anew');
  layer.done();
  ends[0]?.();
  t.deepEqual(progress.pulls().map(({ image, bytes }) => [image, bytes]), [['x.io/b:1', 5]]);
  ends[1]?.();
});

test('a layer that is being fetched shows in the store by the name that was asked for, and is gone from there when it came', async (t) => {
  const [registry, opened] = await Promise.all([startTestRegistry(), openTestImages()]);
  const built = buildImage({ layers: [{ a: '1' }] });
  registry.serve('app', 'v1', built);
  const layer = built.blobs[1];
  let open: () => void = () => undefined;
  const asked = new Promise<void>((resolve) => {
    const gate = new Promise<void>((pass) => (open = pass));
    registry.bend = async ({ path, range }) => {
      if (!path.endsWith(layer?.digest ?? '') || range === 'bytes=0-0') return undefined;
      resolve();
      await gate;
      return undefined;
    };
  });
  const reference = `${registry.host}/app:v1`;
  const pull = opened.images.pull({ reference, signal: new AbortController().signal });
  await asked;
  const [state] = opened.images.pulling(reference);
  t.like(state, { image: reference, bytes: 0, totalBytes: layer?.bytes.length });
  t.deepEqual([opened.images.pulling(`${registry.host}/other`), opened.images.layersInFlight()], [[], 1]);
  open();
  await pull;
  t.deepEqual([opened.images.pulling(''), opened.images.layersInFlight()], [[], 0]);
  t.is(opened.counts.get('image_pull_bytes'), layer?.bytes.length);
  registry.close();
  await opened.close();
});
