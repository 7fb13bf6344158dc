/** What can happen to a pod, a container or an image, as told on the in-process bus and on NATS. */
export type LifecycleType =
  | 'pod.ready'
  | 'pod.stopped'
  | 'pod.removed'
  | 'container.created'
  | 'container.started'
  | 'container.exited'
  | 'container.removed'
  | 'container.oom'
  | 'image.pulling'
  | 'image.pulled'
  | 'image.removed';

/** One lifecycle event; fields that do not apply are absent. Published as JSON on the subject `berth.v1.<type>`. */
export type LifecycleEvent = {
  type: LifecycleType;
  /** Wall clock, nanoseconds since 1970 (a decimal string in JSON). */
  atNs: bigint;
  podId?: string;
  podName?: string;
  podNamespace?: string;
  podUid?: string;
  containerId?: string;
  containerName?: string;
  image?: string;
  exitCode?: number;
  reason?: string;
  /** Of `image.pulling`, once a second: compressed bytes fetched so far, all together and of each layer that was missing. */
  progress?: {
    readonly bytes: number;
    readonly totalBytes: number;
    readonly layers: readonly { readonly digest: string; readonly bytes: number; readonly totalBytes: number }[];
  };
};

/** Hands an event to whoever listens; never waits and never throws. */
export type Publish = (event: LifecycleEvent) => void;
