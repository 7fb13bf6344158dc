import type { Image } from '../records/record.ts';
import { listIn, objectIn, parseObject, textIn } from './shape.ts';

/** One step of an image's making; `layer` is the diffID that came of it, empty when none did. */
export type HistoryStep = { created: string; createdBy: string; comment: string; layer: string };

/** The steps that the configuration tells (OCI image-spec, config.md, history), first one first. Layers of which it tells nothing come last. */
export function historyOf({ rawConfig, layers }: Pick<Image, 'rawConfig' | 'layers'>): HistoryStep[] {
  const left = [...layers];
  const told = listIn(parseObject(rawConfig, 'image configuration')['history'], 'history').map((item) => {
    const step = objectIn(item, 'history[]');
    return {
      created: textIn(step['created'], 'history[].created'),
      createdBy: textIn(step['created_by'], 'history[].created_by'),
      comment: textIn(step['comment'], 'history[].comment'),
      layer: step['empty_layer'] === true ? '' : (left.shift() ?? ''),
    };
  });
  return [...told, ...left.map((layer) => ({ created: '', createdBy: '', comment: '', layer }))];
}
