import { RuntimeError } from '../../api/errors.ts';
import type { ImageConfig } from '../records/record.ts';
import { isDigest } from './reference.ts';
import { type Json, objectIn, parseObject, textIn, textMapIn, textsIn } from './shape.ts';

/** A parsed image configuration. */
export type ParsedConfig = {
  config: ImageConfig;
  /** sha256 of each uncompressed layer, bottom first. */
  diffIds: string[];
};

/** Overlay takes no more lower directories than this. */
export const maxLayers = 500;

/** Reads an image configuration (OCI image-spec config.md, Docker image v1.2). Throws `corrupt`, `unsupported`. */
export function parseConfig(json: string): ParsedConfig {
  const what = 'image configuration';
  const root = parseObject(json, what);
  const run =
    root['config'] === undefined || root['config'] === null ? {} : objectIn(root['config'], `${what}: config`);
  return { config: { ...runPart(run), ...platformPart(root) }, diffIds: diffIdsOf(root) };
}

function runPart(run: Json): Omit<ImageConfig, 'os' | 'architecture' | 'variant' | 'created'> {
  return {
    user: textIn(run['User'], 'config.User'),
    env: textsIn(run['Env'], 'config.Env'),
    entrypoint: textsIn(run['Entrypoint'], 'config.Entrypoint'),
    cmd: textsIn(run['Cmd'], 'config.Cmd'),
    workingDir: textIn(run['WorkingDir'], 'config.WorkingDir'),
    labels: textMapIn(run['Labels'], 'config.Labels'),
    stopSignal: textIn(run['StopSignal'], 'config.StopSignal'),
    volumes: keysIn(run['Volumes'], 'config.Volumes'),
    exposedPorts: keysIn(run['ExposedPorts'], 'config.ExposedPorts'),
  };
}

function platformPart(root: Json): Pick<ImageConfig, 'os' | 'architecture' | 'variant' | 'created'> {
  return {
    os: textIn(root['os'], 'os'),
    architecture: textIn(root['architecture'], 'architecture'),
    variant: textIn(root['variant'], 'variant'),
    created: textIn(root['created'], 'created'),
  };
}

function diffIdsOf(root: Json): string[] {
  if (root['rootfs'] === undefined) {
    throw new RuntimeError('unsupported', 'the image configuration has no rootfs: it is an artifact, not an image');
  }
  const diffIds = textsIn(objectIn(root['rootfs'], 'rootfs')['diff_ids'], 'rootfs.diff_ids');
  if (diffIds.length > maxLayers) {
    throw new RuntimeError('unsupported', `the image has ${diffIds.length} layers, overlay takes ${maxLayers}`);
  }
  for (const diffId of diffIds) {
    if (isDigest(diffId) && diffId.startsWith('sha256:')) continue;
    throw new RuntimeError('corrupt', `rootfs.diff_ids holds ${JSON.stringify(diffId)}, which is no sha256 digest`);
  }
  return diffIds;
}

/** Docker writes a set as an object with empty values. */
function keysIn(value: unknown, what: string): string[] {
  return value === undefined || value === null ? [] : Object.keys(objectIn(value, what)).sort();
}
