import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { tarEnd, tarHeader, tarPadding } from '../host/tar.ts';
import { packLayout, unpackLayout } from './layout-folder.ts';

const blob = `blobs/sha256/${'a'.repeat(64)}`;

async function* cut(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

const tarOf = (name: string, content: string): Buffer =>
  Buffer.concat([tarHeader(name, content.length), Buffer.from(content), Buffer.alloc(tarPadding(content.length)), tarEnd]);

test('a folder is packed and unpacked to the same files, what is no part of a layout left out', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'berth-layout-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const [from, to] = [join(directory, 'from'), join(directory, 'to')];
  mkdirSync(join(from, 'blobs/sha256'), { recursive: true });
  for (const [name, content] of [['oci-layout', '{}'], ['index.json', ''], [blob, 'x'.repeat(3000)], ['notes.txt', 'mine']] as const) writeFileSync(join(from, name), content);
  const packed: Buffer[] = [];
  for await (const chunk of packLayout(from)) packed.push(chunk);
  for (const size of [1, 511, 512, 1 << 20]) {
    await unpackLayout(to, cut(Buffer.concat(packed), size));
    t.deepEqual(readdirSync(to).sort(), ['blobs', 'index.json', 'oci-layout']);
    t.is(readFileSync(join(to, blob), 'utf8'), 'x'.repeat(3000));
    rmSync(to, { recursive: true });
  }
});

test('an archive with any other file, or that ends early, is refused and writes nothing outside', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'berth-layout-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  for (const [i, name] of ['../escaped', '/tmp/escaped', 'blobs/sha256/../../../escaped', 'notes.txt'].entries()) {
    await t.throwsAsync(unpackLayout(join(directory, `${i}`), cut(tarOf(name, 'x'), 100)), { message: /is no file of an OCI layout/ }, name);
  }
  t.false(existsSync(join(directory, 'escaped')));
  await t.throwsAsync(unpackLayout(join(directory, 'short'), cut(tarOf(blob, 'x'.repeat(2000)).subarray(0, 1000), 100)), { message: /ended early/ });
});
