/** One member of a layer; `path` is relative, without a leading slash. Mode, owner and content default to the usual. */
export type Entry = {
  readonly path: string;
  readonly type: 'file' | 'directory' | 'symlink' | 'hardlink' | 'character' | 'fifo';
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly content?: Buffer | string;
  /** What a symlink or hardlink points to. */
  readonly target?: string;
  /** Major and minor number of a character device. */
  readonly device?: readonly [number, number];
};

const blockBytes = 512;
const mtimeSeconds = 1_700_000_000;
const typeFlags = { file: '0', hardlink: '1', symlink: '2', character: '3', directory: '5', fifo: '6', pax: 'x' } as const;

/** A POSIX tar of the entries in their order, the same bytes each time; long names go into pax headers. */
export function tarOf(entries: readonly Entry[]): Buffer {
  const parts = entries.flatMap((entry) => [...longNames(entry), ...member(entry)]);
  return Buffer.concat([...parts, Buffer.alloc(2 * blockBytes)]);
}

function longNames(entry: Entry): Buffer[] {
  const records: string[] = [];
  if (Buffer.byteLength(entry.path) > 99) records.push(paxRecord('path', entry.path));
  if (Buffer.byteLength(entry.target ?? '') > 99) records.push(paxRecord('linkpath', entry.target ?? ''));
  if (records.length === 0) return [];
  const body = Buffer.from(records.join(''));
  return [header({ path: 'pax', type: 'file' }, body.length, typeFlags.pax), padded(body)];
}

/** `LENGTH KEY=VALUE\n`, where LENGTH counts itself. */
function paxRecord(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`;
  let length = Buffer.byteLength(rest);
  while (String(length).length + Buffer.byteLength(rest) !== length)
    length = String(length).length + Buffer.byteLength(rest);
  return `${length}${rest}`;
}

function member(entry: Entry): Buffer[] {
  const content = Buffer.from(entry.content ?? '');
  return [header(entry, content.length, typeFlags[entry.type]), padded(content)];
}

function header(entry: Entry, size: number, flag: string): Buffer {
  const block = Buffer.alloc(blockBytes);
  const octal = (value: number, at: number, width: number) =>
    block.write(value.toString(8).padStart(width - 1, '0'), at, width - 1);
  block.write(Buffer.from(entry.path).subarray(0, 99).toString('latin1'), 0, 'latin1');
  octal(entry.mode ?? (entry.type === 'directory' ? 0o755 : entry.type === 'symlink' ? 0o777 : 0o644), 100, 8);
  octal(entry.uid ?? 0, 108, 8);
  octal(entry.gid ?? 0, 116, 8);
  octal(size, 124, 12);
  octal(mtimeSeconds, 136, 12);
  block.write(flag, 156);
  block.write(
    Buffer.from(entry.target ?? '')
      .subarray(0, 99)
      .toString('latin1'),
    157,
    'latin1',
  );
  block.write('ustar\x0000', 257);
  if (entry.device !== undefined) {
    octal(entry.device[0], 329, 8);
    octal(entry.device[1], 337, 8);
  }
  block.fill(' ', 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return block;
}

function padded(content: Buffer): Buffer {
  return Buffer.concat([content, Buffer.alloc((blockBytes - (content.length % blockBytes)) % blockBytes)]);
}
