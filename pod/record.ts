import type { IdMappings, SelinuxLabels } from '../api/engine.ts';
import type { LinuxContainerResources } from '../api/cri.ts';
import type { Exit } from '../api/shim.ts';
import type { Attachment } from './network/cni.ts';

/** `creating` is not shown to anyone; it marks work that a crash interrupted. */
export type SandboxState = 'creating' | 'ready' | 'stopped';

/** `creating` as for sandboxes; the others are CRI's. */
export type ContainerState = 'creating' | 'created' | 'running' | 'exited';

/** Whose namespace of a kind a pod or container uses (CRI NamespaceMode). */
export type NamespaceMode = 'POD' | 'CONTAINER' | 'NODE' | 'TARGET';

/** A user namespace of a pod's own; `path` is good while the shim lives, empty before it started. */
export type UserNamespace = { path: string; mappings: IdMappings };

/** All that is known of a pod sandbox. Replaced whole at every change, never altered. */
export type Sandbox = {
  id: string;
  state: SandboxState;
  name: string;
  namespace: string;
  uid: string;
  attempt: number;
  labels: Record<string, string>;
  annotations: Record<string, string>;
  /** Runtime handler as asked for; empty is the default. */
  handler: string;
  namespaces: { network: NamespaceMode; pid: NamespaceMode; ipc: NamespaceMode };
  logDirectory: string;
  /** The PodSandboxConfig, protobuf-encoded. */
  config: Buffer;
  /** Wall clock, nanoseconds since 1970, decimal. */
  createdAtNs: string;
  /** Path of the pod's cgroup below every hierarchy, and those of its ancestors (itself included) that this runtime made. */
  cgroupParent: string;
  madeCgroups: string[];
  shimPid: number;
  pausePid: number;
  /** The pod's own user namespace; null with the host's. */
  user: UserNamespace | null;
  /** Null before the network is attached and with the host's network. */
  attachment: Attachment | null;
  networkReleased: boolean;
  /** Absent or null without SELinux; its level is no other living pod's. */
  selinux?: SelinuxLabels | null;
  /** As the pod was made with, then as UpdatePodSandboxResources says; absent in records of earlier releases. */
  resources?: SandboxResources;
  /** What a start found missing of it, in words; absent when nothing was. */
  lacks?: string[];
};

/** What a pod may use in sum, and what it costs beside its containers. */
export type SandboxResources = { overhead: LinuxContainerResources | null; resources: LinuxContainerResources | null };

/** An image mounted into a container; id and reference as a container has them of its own image. */
export type ImageVolume = { containerPath: string; imageId: string; imageRef: string };

/** All that is known of a container. Replaced whole at every change, never altered. */
export type Container = {
  id: string;
  sandboxId: string;
  /** As its sandbox has them: runtime handler, and path of the pod's cgroup below every hierarchy. */
  handler: string;
  cgroupParent: string;
  state: ContainerState;
  name: string;
  attempt: number;
  labels: Record<string, string>;
  annotations: Record<string, string>;
  imageId: string;
  /** The image's digested reference (repo@sha256:…) or its id. */
  imageRef: string;
  /** Images mounted into it besides its own, in the order of its mounts. */
  imageVolumes: ImageVolume[];
  /** The ContainerConfig, protobuf-encoded. */
  config: Buffer;
  createdAtNs: string;
  /** "0" until it started. */
  startedAtNs: string;
  /** Set once its first process has ended. */
  exit: Exit | null;
  /** The shim's number of that news, 0 when it came otherwise. */
  exitSeq: number;
  /** Why it is as it is, when exit code and signal do not tell. */
  message: string;
  pid: number;
  /** Absolute; empty when nothing is logged. */
  logPath: string;
  user: { uid: number; gid: number; groups: number[] };
  /** Absent or null without SELinux. */
  selinux?: SelinuxLabels | null;
  stopSignal: number;
};

/** A reason for ContainerStatus: `OOMKilled` for a cgroup's out-of-memory kill, else as the exit code says. */
export function exitReason(exit: Exit): 'OOMKilled' | 'Completed' | 'Error' {
  if (exit.oomKilled) return 'OOMKilled';
  return exit.exitCode === 0 ? 'Completed' : 'Error';
}

/** Whether the text has the form of a whole id, so that no id can begin with it and go on. */
export function isWholeId(text: string): boolean {
  return /^[0-9a-f]{64}$/.test(text);
}

/** The identity under which the kubelet retries RunPodSandbox. */
export function sandboxKey(of: { name: string; namespace: string; uid: string; attempt: number }): string {
  return JSON.stringify([of.namespace, of.name, of.uid, of.attempt]);
}

/** The identity under which the kubelet retries CreateContainer. */
export function containerKey(of: { sandboxId: string; name: string; attempt: number }): string {
  return JSON.stringify([of.sandboxId, of.name, of.attempt]);
}
