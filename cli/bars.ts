import { sizeText } from './size.ts';

/** How far one layer is, in compressed bytes. */
export type LayerState = { digest: string; bytes: bigint; totalBytes: bigint };
/** A terminal's size in characters. */
export type Screen = { columns: number; rows: number };

const barWidth = 30;
/** What stands beside the bars: the prompt, the id at the end, the sum. */
const otherRows = 4;

/** A line with a bar for each layer, those that are not here yet if there is no room for all, and one for their sum. */
export function barLines(layers: readonly LayerState[], { columns, rows }: Screen): string[] {
  const room = Math.max(1, rows - otherRows);
  const shown = layers.length <= room ? layers : layers.filter(({ bytes, totalBytes }) => bytes < totalBytes).slice(0, room);
  const sum = (of: (layer: LayerState) => bigint): bigint => layers.reduce((total, layer) => total + of(layer), 0n);
  const total = { digest: 'sha256:all', bytes: sum(({ bytes }) => bytes), totalBytes: sum(({ totalBytes }) => totalBytes) };
  return [...shown, total].map((layer) => line(layer).slice(0, columns));
}

function line({ digest, bytes, totalBytes }: LayerState): string {
  const full = totalBytes === 0n ? barWidth : Number((bytes * BigInt(barWidth)) / totalBytes);
  const bar = '='.repeat(full) + (full < barWidth ? '>' : '').padEnd(barWidth - full);
  return `${digest.replace(/^sha(?:256|512):/, '').slice(0, 12).padEnd(12)} [${bar}] ${sizeText(bytes)} of ${sizeText(totalBytes)}`;
}

/** Draws lines at the end of a terminal, each time over those before. */
export function redraw(write: (text: string) => void): (lines: readonly string[]) => void {
  let before = 0;
  return (lines) => {
    const up = before > 0 ? `\x1b[${before}A` : '';
    write(`${up}${lines.map((text) => `\x1b[2K${text}\n`).join('')}\x1b[J`);
    before = lines.length;
  };
}
