import type { Checked } from '../../api/problem.ts';
import type { LayerUsage } from '../layers/layers.ts';
import type { Platform } from '../manifest/manifest.ts';
import type { PullProgress } from '../pull/progress.ts';
import type { AuthConfig } from '../registry/credential.ts';

export type { AuthConfig };

/** What containers take from an image's configuration (OCI image-spec, config.md). */
export type ImageConfig = {
  user: string;
  env: string[];
  entrypoint: string[];
  cmd: string[];
  workingDir: string;
  labels: Record<string, string>;
  stopSignal: string;
  volumes: string[];
  exposedPorts: string[];
  os: string;
  architecture: string;
  variant: string;
  created: string;
};

/** An image on this machine; a record never changes, a new one takes its place. */
export type Image = {
  /** Digest of the configuration, `sha256:…`; the same string everywhere. */
  id: string;
  /** Normalised `repository:tag`, sorted. */
  tags: string[];
  /** `repository@sha256:…` of what the references pulled point at, list or manifest; sorted. */
  digests: string[];
  /** Compressed layers and configuration; never 0. */
  sizeBytes: bigint;
  /** DiffIDs, bottom first; one may occur twice. */
  layers: string[];
  config: ImageConfig;
  /** The configuration as the registry served it. */
  rawConfig: string;
  /** Type of an OCI artifact, which can only be a volume; empty for an image. */
  artifactType: string;
  /** Annotations of the manifest. */
  annotations: Record<string, string>;
  /** Wall clock of the pull that brought it, nanoseconds since 1970. */
  pulledAtNs: bigint;
  /** Root of the additional store that it lies in, read-only; empty for an image of our own. */
  additionalStore: string;
};

/** One pull; `namespace` is that of the pod it is for, when there is one. */
export type PullAsk = {
  reference: string;
  auth?: AuthConfig;
  namespace?: string;
  /** What the image must run on, when not this machine. */
  platform?: Platform;
  signal: AbortSignal;
};

/** An archive as it comes in; `name` is for its one image, instead of the names that the archive gives it. */
export type LoadAsk = { archive: AsyncIterable<Buffer>; name: string; signal: AbortSignal };

/** An image that was pruned, and what the layers took that went with it. */
export type Pruned = { image: Image; freed: LayerUsage };

/** How the store is checked: `full` reads every layer and tells by `unverified` of those that have nothing to be compared with. */
export type ImageCheckAsk = { repair: boolean; full: boolean; unverified: (diffId: string) => void; signal: AbortSignal };

/** The images of this machine. Reads answer from memory and never wait. */
export type Images = {
  list(): readonly Image[];
  /** By id, by at least 12 of its hex digits, by tag or by digest; undefined also for what is no reference. */
  find(reference: string): Image | undefined;
  /**
   * The image of that reference, fetched where layers are missing; equal pulls share one. Errors: `invalid`, `denied`,
   * `not-found`, `registry-unavailable`, `unsupported` (platform), `corrupt`, `cancelled`, `timeout`.
   */
  pull(ask: PullAsk): Promise<Image>;
  /**
   * Throws `signature` unless the policy as it is now lets a pod of that namespace use the image under that name, which
   * may be an id.
   */
  allow(image: Image, as: { name: string; namespace: string }): Promise<void>;
  /** How far the pulls of that reference are, of all where it is empty; those that still ask for the manifest are left out. Throws `invalid`. */
  pulling(reference: string): PullProgress[];
  /** Layers that are being fetched. */
  layersInFlight(): number;
  /** The images of an archive, OCI layout or Docker's, verified and committed like pulled ones. Errors: those of a pull. */
  load(ask: LoadAsk): Promise<Image[]>;
  /**
   * An archive of these images, readable as OCI layout and as Docker archive, that is made as it is read. They are kept
   * until its end. Throws `not-found`.
   */
  save(references: readonly string[], signal: AbortSignal): AsyncIterable<Buffer>;
  /**
   * Removes the image with all its tags; an unknown one is fine. `in-use` names what holds it; `wrong-state` the additional
   * store that it lies in.
   */
  remove(reference: string): Promise<void>;
  /** Removes the images that nobody uses and that `wanted`, asked last of all, says. */
  prune(wanted: (image: Image) => boolean): Promise<Pruned[]>;
  /** Who uses the image, in words: containers, containers that have it as a volume, a create in flight. */
  holders(image: Image): string[];
  /** Wall clock of when somebody was last told by a pull that the image is here, nanoseconds since 1970. */
  toldAtNs(image: Image): bigint;
  /** Keeps the image and its layers until the result is called; for a create in flight. Throws `not-found`. */
  lease(imageId: string): () => void;
  /** Layer directories, absolute, the topmost first, each once. */
  layerPaths(image: Image): string[];
  /** What the layers take, as counted when they were unpacked. */
  usage(): { path: string; usedBytes: bigint; inodes: bigint };
  usageOf(diffId: string): LayerUsage;
  /** What is wrong with the store, mended where that is wanted. Throws `newer-format` for records of a newer release. */
  check(ask: ImageCheckAsk): AsyncIterable<Checked>;
  /** Resolves when all layers that were taken away are off the disk, or could not be removed. */
  settled(): Promise<void>;
  /** Ends pulls in flight and waits for what is being written. */
  close(): Promise<void>;
};
