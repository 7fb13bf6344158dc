import type { ContainerStats, LinuxContainerResources, MetricDescriptor, PodSandboxMetrics, PodSandboxStats } from '../../api/cri.ts';

/** The parts of CRI replies that tests look at; 64-bit integers are decimal strings, enums their names. */
export type Replies = {
  Version: { version: string; runtime_name: string; runtime_version: string; runtime_api_version: string };
  Status: {
    status: { conditions: { type: string; status: boolean; reason: string; message: string }[] };
    runtime_handlers: { name: string; features: { recursive_read_only_mounts: boolean; user_namespaces: boolean } }[];
    features: { mount_options: boolean; supplemental_groups_policy: boolean };
    info: Record<string, string>;
  };
  RunPodSandbox: { pod_sandbox_id: string };
  StopPodSandbox: object;
  RemovePodSandbox: object;
  PodSandboxStatus: { status: PodStatus; info: Record<string, string>; containers_statuses: ContainerStatus[]; timestamp: string };
  ListPodSandbox: { items: (Marked & { id: string; state: PodState; metadata: PodMetadata; runtime_handler: string })[] };
  CreateContainer: { container_id: string };
  StartContainer: object;
  StopContainer: object;
  RemoveContainer: object;
  ContainerStatus: { status: ContainerStatus; info: Record<string, string> };
  ListContainers: {
    containers: (Marked & {
      id: string;
      pod_sandbox_id: string;
      metadata: { name: string };
      state: ContainerState;
      image_id: string;
      image_ref: string;
    })[];
  };
  ReopenContainerLog: object;
  UpdateContainerResources: object;
  UpdatePodSandboxResources: object;
  CheckpointContainer: object;
  CheckpointPod: object;
  RestorePod: object;
  RuntimeConfig: { linux: { cgroup_driver: string } | null };
  UpdateRuntimeConfig: object;
  ExecSync: { stdout: Buffer; stderr: Buffer; exit_code: number };
  Exec: { url: string };
  Attach: { url: string };
  PortForward: { url: string };
  ContainerStats: { stats: ContainerStats };
  ListContainerStats: { stats: ContainerStats[] };
  PodSandboxStats: { stats: PodSandboxStats };
  ListPodSandboxStats: { stats: PodSandboxStats[] };
  ListMetricDescriptors: { descriptors: MetricDescriptor[] };
  ListPodSandboxMetrics: { pod_metrics: PodSandboxMetrics[] };
  PullImage: { image_ref: string };
  ImageStatus: { image: Image | null; info: Record<string, string> };
  ListImages: { images: Image[] };
  RemoveImage: object;
  ImageFsInfo: { image_filesystems: FilesystemUsage[]; container_filesystems: FilesystemUsage[] };
};

/** The same of replies that come as a stream. */
export type StreamReplies = {
  GetContainerEvents: ContainerEvent;
  StreamPodSandboxes: { pod_sandboxes: { id: string }[] };
  StreamContainers: { containers: { id: string }[] };
  StreamImages: { images: Image[] };
  StreamContainerStats: { container_stats: ContainerStats[] };
  StreamPodSandboxMetrics: { pod_sandbox_metrics: PodSandboxMetrics[] };
  StreamPodSandboxStats: { pod_sandbox_stats: PodSandboxStats[] };
};

export type ContainerEvent = {
  container_id: string;
  container_event_type: string;
  created_at: string;
  pod_sandbox_status: PodStatus | null;
  containers_statuses: ContainerStatus[];
};
export type FilesystemUsage = { used_bytes: { value: string }; inodes_used: { value: string }; fs_id: { mountpoint: string } };
/** What is told of pods and containers alike, as they were made with it. */
export type Marked = { labels: Record<string, string>; annotations: Record<string, string>; created_at: string };
export type PodState = 'SANDBOX_READY' | 'SANDBOX_NOTREADY';
export type PodMetadata = { name: string; uid: string; namespace: string; attempt: number };
export type PodStatus = Marked & {
  id: string;
  state: PodState;
  metadata: PodMetadata;
  runtime_handler: string;
  network: { ip: string; additional_ips: { ip: string }[] } | null;
  linux: { namespaces: { options: { network: string; pid: string; ipc: string; userns_options: { mode: string } | null } } } | null;
};
export type ContainerState = 'CONTAINER_CREATED' | 'CONTAINER_RUNNING' | 'CONTAINER_EXITED' | 'CONTAINER_UNKNOWN';
export type ContainerStatus = Marked & {
  id: string;
  metadata: { name: string; attempt: number };
  state: ContainerState;
  image: { image: string };
  started_at: string;
  finished_at: string;
  exit_code: number;
  reason: string;
  message: string;
  image_ref: string;
  image_id: string;
  log_path: string;
  stop_signal: string;
  resources: { linux: LinuxContainerResources | null } | null;
  user: { linux: { uid: string; gid: string; supplemental_groups: string[] } };
  mounts: { container_path: string; host_path: string; readonly: boolean; image: { image: string; image_ref: string } | null; image_sub_path: string }[];
};
export type Image = { id: string; repo_tags: string[]; repo_digests: string[]; size: string; username: string; pinned: boolean };
