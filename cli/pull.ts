import { barLines, type LayerState, redraw } from './bars.ts';
import type { Verb } from './verb.ts';

/** `berth pull` */
export const pull: Verb = {
  args: { usage: 'REF', least: 1, most: 1 },
  summary: 'Fetch an image by tag or digest and print its id; a terminal shows how far each layer is.',
  options: {},
  async run({ args: [image = ''], daemon, print }) {
    const show = barsOn(process.stderr);
    let layers: LayerState[] = [];
    for await (const reply of daemon.stream('Pull', { image })) {
      if (reply.image_id !== '') {
        if (layers.length > 0) show(layers.map((layer) => ({ ...layer, bytes: layer.totalBytes })));
        await print(`${reply.image_id}\n`);
        continue;
      }
      layers = reply.layers.map(({ digest, bytes, total_bytes }) => ({ digest, bytes: BigInt(bytes), totalBytes: BigInt(total_bytes) }));
      if (layers.length > 0) show(layers);
    }
  },
};

function barsOn(terminal: NodeJS.WriteStream): (layers: readonly LayerState[]) => void {
  if (!terminal.isTTY) return () => undefined;
  const draw = redraw((text) => void terminal.write(text));
  return (layers) => draw(barLines(layers, { columns: terminal.columns, rows: terminal.rows }));
}
