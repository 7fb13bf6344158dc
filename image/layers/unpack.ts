import type { FetchLayerReply } from '../../api/engine.ts';
import { isKind } from '../../api/errors.ts';
import type { Engine } from '../../host/engine.ts';
import { sumsBeside } from './places.ts';
import type { UnpackedLayer } from './layers.ts';

/** The layer that the engine unpacks to `directory` by `work`; on error nothing is left there. */
export async function unpacked(
  { diffId, directory, engine }: { diffId: string; directory: string; engine: Engine },
  work: () => Promise<FetchLayerReply>,
): Promise<UnpackedLayer> {
  try {
    const { usedBytes, inodes, implied } = await work();
    return { diffId, directory, usage: { usedBytes: BigInt(usedBytes), inodes: BigInt(inodes) }, implied };
  } catch (error) {
    // An engine that fails removes what it unpacked; one that died could not.
    if (isKind(error, 'unavailable')) await engine.call('removeTrees', { unmount: [], remove: [directory, sumsBeside(directory)] });
    throw error;
  }
}
