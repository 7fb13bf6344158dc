import { decode } from '../api/cri.ts';
import type { DumpReply } from '../api/control.ts';
import type { PodContext } from '../pod/context.ts';
import { checkControl } from './control-check.ts';
import { imageControl } from './control-images.ts';
import { pullWithProgress } from './control-pull.ts';
import type { ControlHandlers } from './server.ts';

/** What the command-line client asks besides the CRI; `pinned` are the patterns of images that are kept, `takenUp` tells when a sandbox of an earlier start is. */
export function controlHandlers(context: PodContext, pinned: readonly string[], takenUp: (sandboxId: string) => Promise<void>): Required<ControlHandlers> {
  return {
    ...imageControl(context.images, pinned),
    ...checkControl(context, takenUp),
    Pull: ({ image }, { signal }) => pullWithProgress(context.images, image, signal),
    Dump: async function* ({ id }) {
      for (const record of records(context)) if (digitsOf(record.id).startsWith(digitsOf(id))) yield record;
    },
  };
}

/** All records, each as it is when its turn comes. */
function* records({ store, images }: PodContext): Generator<DumpReply> {
  for (const { config, ...rest } of store.sandboxes.all()) {
    yield dumped('sandbox', rest.id, { ...rest, config: decode('PodSandboxConfig', config) });
  }
  for (const { config, ...rest } of store.containers.all()) {
    yield dumped('container', rest.id, { ...rest, config: decode('ContainerConfig', config) });
  }
  for (const { rawConfig: _, ...image } of images.list()) yield dumped('image', image.id, image);
}

function digitsOf(id: string): string {
  return id.replace(/^sha256:/, '');
}

function dumped(kind: DumpReply['kind'], id: string, record: object): DumpReply {
  const json = JSON.stringify(record, (_key, value: unknown) => (typeof value === 'bigint' ? String(value) : value));
  return { kind, id, json };
}
