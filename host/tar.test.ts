import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { readPax, readTarHeader, tarBlockBytes, tarEnd, tarHeader, tarPadding } from './tar.ts';

test('what is written is read again, and tar itself lists it', (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'berth-tar-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const name = `blobs/sha256/${'a'.repeat(64)}`;
  const header = tarHeader(name, 1000);
  t.deepEqual(readTarHeader(header), { name, kind: '0', link: '', sizeBytes: 1000 });
  t.is(tarPadding(1000), 24);
  t.is(tarPadding(512), 0);
  const path = join(directory, 'a.tar');
  writeFileSync(path, Buffer.concat([header, Buffer.alloc(1000, 'x'), Buffer.alloc(24), tarEnd]));
  t.is(execFileSync('tar', ['-xOf', path, name]).toString(), 'x'.repeat(1000));
});

test('sizes from 8 GiB on are written and read in base 256', (t) => {
  for (const sizeBytes of [8 ** 11 - 1, 8 ** 11, 2 ** 50]) t.is(readTarHeader(tarHeader('big', sizeBytes))?.sizeBytes, sizeBytes);
});

test('a block of zeros is the end, a damaged one is refused', (t) => {
  t.is(readTarHeader(Buffer.alloc(tarBlockBytes)), undefined);
  for (const at of [0, 124, 148, 500]) {
    const damaged = tarHeader('a', 1);
    damaged[at] = (damaged[at] ?? 0) ^ 0x41;
    t.throws(() => readTarHeader(damaged), { message: /checksum|malformed number/ }, `${at}`);
  }
});

test('the headers that GNU tar writes are read, long names by their extensions', (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'berth-tar-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const name = 'n'.repeat(150);
  writeFileSync(join(directory, name), '1');
  for (const format of ['gnu', 'pax']) {
    execFileSync('tar', ['-C', directory, `--format=${format}`, '-cf', join(directory, 'a.tar'), name]);
    const bytes = readFileSync(join(directory, 'a.tar'));
    const header = readTarHeader(bytes.subarray(0, tarBlockBytes));
    const data = bytes.subarray(tarBlockBytes, tarBlockBytes + (header?.sizeBytes ?? 0));
    t.is(header?.kind, format === 'gnu' ? 'L' : 'x');
    t.is(format === 'gnu' ? data.toString().replace(/\0$/, '') : readPax(data).get('path'), name);
  }
});

test('extended headers of any bytes are records or refused', (t) => {
  t.deepEqual([...readPax(Buffer.from('8 a=bcd\n5 e=\n'))], [['a', 'bcd'], ['e', '']]);
  for (const bad of ['8 a=bc\n', '0 a=b\n', '-1 a=b\n', 'a=b\n', '99 a=b\n', '4 =b\n', '5 ab\n', '1e1 a=bcde\n', ' ']) {
    t.throws(() => readPax(Buffer.from(bad)), { message: /malformed/ }, bad);
  }
});
