import { RuntimeError } from '../../api/errors.ts';
import { maxLayers, type ParsedConfig, parseConfig } from './config.ts';
import { digestOf } from './digest.ts';
import type { LayerDescriptor, Manifest } from './manifest.ts';

/**
 * An artifact as if it were an image: one layer for each of its files, the first one on top, nothing to run. The same
 * file of another artifact is the same layer.
 */
export function configOfArtifact({ layers }: Pick<Manifest, 'layers'>): { rawConfig: string; parsed: ParsedConfig } {
  if (layers.length > maxLayers) throw new RuntimeError('unsupported', `the artifact has ${layers.length} files, at most ${maxLayers} can be mounted`);
  const diff_ids = layers.map(keyOf);
  const rawConfig = JSON.stringify({ config: {}, rootfs: { type: 'layers', diff_ids } });
  return { rawConfig, parsed: parseConfig(rawConfig) };
}

/** What a file of an artifact is kept by: its content and its path. */
function keyOf({ digest, file }: LayerDescriptor): string {
  return digestOf(`artifact\0${digest}\0${file}`);
}
