import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import type { Log } from '../../api/observe.ts';
import { isKind } from '../../api/errors.ts';
import { parseConfig } from '../manifest/config.ts';
import { buildImage } from '../fixtures/image.ts';
import type { Image } from './record.ts';
import { fileNameOf } from './record-file.ts';
import { openRecords, type Records } from './records.ts';

const usage = { usedBytes: 2n ** 60n, inodes: 3n };
const usageOf = (): typeof usage => usage;
const quiet = (): void => undefined;
const log: Log = { debug: quiet, info: quiet, warn: quiet, error: quiet };

function folderOf(t: ExecutionContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'berth-records-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  return folder;
}

function imageOf(text: string): Image {
  const built = buildImage({ layers: [{ text }] });
  const rawConfig = built.blobs[0]?.bytes.toString('utf8') ?? '';
  const { config, diffIds } = parseConfig(rawConfig);
  return {
    id: built.id,
    tags: [],
    digests: [],
    sizeBytes: 2n ** 60n,
    layers: diffIds,
    config,
    rawConfig,
    artifactType: 'application/x',
    annotations: { 'a"': '\n' },
    pulledAtNs: 1n,
    additionalStore: '',
  };
}

const listed = (name: string): { name: string; listed: boolean } => ({ name, listed: true });
const tagsOf = (records: Records, { id }: Image): string[] | undefined => records.catalog.byId(id)?.tags;

test('what was saved is there after a restart: image, names shown and not shown, sizes of layers', async (t) => {
  const folder = folderOf(t);
  const image = imageOf('one');
  const records = await openRecords(folder, log);
  const saved = await records.save(image, [listed('x:1'), { name: 'x@sha256:m', listed: false }], usageOf);
  t.deepEqual(saved, { ...image, tags: ['x:1'] });
  const again = await openRecords(folder, log);
  t.deepEqual(again.catalog.list(), [saved]);
  t.deepEqual(again.catalog.byName('x@sha256:m'), saved);
  t.deepEqual([...again.usages], [[image.layers[0] ?? '', usage]]);
  await again.remove(image.id);
  await again.remove(image.id);
  t.deepEqual(readdirSync(folder), []);
});

test('a name shown once stays so when the image is saved under it again', async (t) => {
  const folder = folderOf(t);
  const records = await openRecords(folder, log);
  await records.save(imageOf('one'), [listed('x@sha256:m')], usageOf);
  await records.save(imageOf('one'), [{ name: 'x@sha256:m', listed: false }, listed('x:1')], usageOf);
  t.deepEqual((await openRecords(folder, log)).catalog.list()[0]?.digests, ['x@sha256:m']);
});

test('a name belongs to the image that got it last, also when a crash kept the other file from saying so', async (t) => {
  const folder = folderOf(t);
  const [one, two] = [imageOf('one'), imageOf('two')];
  const records = await openRecords(folder, log);
  await records.save(one, [listed('x:1'), listed('y:1')], usageOf);
  const fileOfOne = join(folder, fileNameOf(one.id));
  const before = readFileSync(fileOfOne);
  await records.save(two, [listed('x:1')], usageOf);
  t.deepEqual([tagsOf(records, one), tagsOf(records, two)], [['y:1'], ['x:1']]);
  writeFileSync(fileOfOne, before);
  const again = await openRecords(folder, log);
  t.deepEqual([tagsOf(again, one), tagsOf(again, two)], [['y:1'], ['x:1']]);
  await again.remove(two.id);
  t.deepEqual(tagsOf(await openRecords(folder, log), one), ['y:1']);
});

test('what a crash left half written is swept', async (t) => {
  const folder = folderOf(t);
  const image = imageOf('one');
  await (await openRecords(folder, log)).save(image, [listed('x:1')], usageOf);
  writeFileSync(join(folder, `${fileNameOf(image.id)}.tmp`), '{"ver');
  t.is((await openRecords(folder, log)).catalog.list().length, 1);
  t.deepEqual(readdirSync(folder), [fileNameOf(image.id)]);
});

test('a record that is not durable is not seen, and says why', async (t) => {
  const folder = folderOf(t);
  const records = await openRecords(folder, log);
  rmSync(folder, { recursive: true });
  const error = await t.throwsAsync(records.save(imageOf('one'), [listed('x:1')], usageOf), {
    message: /cannot write/,
  });
  t.true(isKind(error, 'internal'));
  t.deepEqual(records.catalog.list(), []);
  await openRecords(folder, log);
});

test('a record as the first version wrote it is read in all its parts', async (t) => {
  const folder = folderOf(t);
  const name = `${'a'.repeat(64)}.json`;
  copyFileSync(join(import.meta.dirname, '../fixtures/record-v1.json'), join(folder, name));
  const records = await openRecords(folder, log);
  t.like(records.catalog.list()[0], {
    id: `sha256:${'a'.repeat(64)}`, tags: ['registry.example/app:1'], digests: [], sizeBytes: 2n ** 60n, layers: [`sha256:${'b'.repeat(64)}`],
    annotations: { k: 'v' }, artifactType: '', pulledAtNs: 1_764_000_000_000_000_000n,
  });
  t.deepEqual(records.catalog.list()[0]?.config.env, ['A=b']);
  t.is(records.catalog.byName(`registry.example/app@sha256:${'c'.repeat(64)}`)?.id, `sha256:${'a'.repeat(64)}`);
  t.deepEqual([...records.usages.values()], [{ usedBytes: 4096n, inodes: 2n }]);
  t.deepEqual(readdirSync(folder), [name]);
});

const broken: Record<string, (json: string) => string> = {
  'is empty': () => '',
  'states no version': (json) => json.replace('"version": 1,', ''),
  'names another image': (json) => json.replace(/"id": "sha256:./, '"id": "sha256:'),
  'has a negative size': (json) => json.replace(/"sizeBytes": "/, '"sizeBytes": "-'),
  'has a layer of unknown form': (json) => json.replace(/"inodes": "3"/, '"inodes": 3'),
};
for (const [what, change] of Object.entries(broken)) {
  test(`a record that ${what} is put aside and logged, the others stay`, async (t) => {
    const folder = folderOf(t);
    const errors: object[] = [];
    const [one, two] = [imageOf('one'), imageOf('two')];
    const records = await openRecords(folder, log);
    for (const image of [one, two]) await records.save(image, [], usageOf);
    const path = join(folder, fileNameOf(one.id));
    writeFileSync(path, change(readFileSync(path, 'utf8')));
    const again = await openRecords(folder, { ...log, error: (_, fields) => void errors.push(fields ?? {}) });
    t.deepEqual(again.catalog.list(), [two]);
    t.deepEqual(readdirSync(folder).sort(), [`${fileNameOf(one.id)}.broken`, fileNameOf(two.id)].sort());
    t.like(errors[0], { record: `${path}.broken` });
  });
}
