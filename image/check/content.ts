import type { Engine } from '../../host/engine.ts';
import { layerPath, sumsPath } from '../layers/places.ts';

/** What is wrong with the content of a layer of the store at `root`: empty for nothing, undefined when nothing is known to compare it with. */
export async function contentFault(engine: Engine, root: string, diffId: string, signal: AbortSignal): Promise<string | undefined> {
  const ask = { directory: layerPath(root, diffId), sums: sumsPath(root, diffId) };
  const { verified, missing, damaged, names } = await engine.call('verifyLayer', ask, { signal });
  if (!verified) return undefined;
  const lost = missing === 0 ? [] : [`has lost ${missing} files`];
  const wrong = damaged === 0 ? [] : [`has ${damaged} files that are not as they were unpacked (${names.join(', ')}${damaged > names.length ? ', …' : ''})`];
  return [...lost, ...wrong].join(' and ');
}
