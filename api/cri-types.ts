// Written by `node api/write-cri-types.ts` from cri-v1-fields.json; change that, not this.

/** A 64-bit integer in decimal; it never passes through a number. */
export type Int64 = string;

export type Protocol = 'TCP' | 'UDP' | 'SCTP';
export type MountPropagation = 'PROPAGATION_PRIVATE' | 'PROPAGATION_HOST_TO_CONTAINER' | 'PROPAGATION_BIDIRECTIONAL';
export type NamespaceMode = 'POD' | 'CONTAINER' | 'NODE' | 'TARGET';
export type SupplementalGroupsPolicy = 'Merge' | 'Strict';
export type PodSandboxState = 'SANDBOX_READY' | 'SANDBOX_NOTREADY';
export type Signal =
  | 'SIGNAL_RUNTIME_DEFAULT'
  | 'SIGNAL_SIGABRT'
  | 'SIGNAL_SIGALRM'
  | 'SIGNAL_SIGBUS'
  | 'SIGNAL_SIGCHLD'
  | 'SIGNAL_SIGCLD'
  | 'SIGNAL_SIGCONT'
  | 'SIGNAL_SIGFPE'
  | 'SIGNAL_SIGHUP'
  | 'SIGNAL_SIGILL'
  | 'SIGNAL_SIGINT'
  | 'SIGNAL_SIGIO'
  | 'SIGNAL_SIGIOT'
  | 'SIGNAL_SIGKILL'
  | 'SIGNAL_SIGPIPE'
  | 'SIGNAL_SIGPOLL'
  | 'SIGNAL_SIGPROF'
  | 'SIGNAL_SIGPWR'
  | 'SIGNAL_SIGQUIT'
  | 'SIGNAL_SIGSEGV'
  | 'SIGNAL_SIGSTKFLT'
  | 'SIGNAL_SIGSTOP'
  | 'SIGNAL_SIGSYS'
  | 'SIGNAL_SIGTERM'
  | 'SIGNAL_SIGTRAP'
  | 'SIGNAL_SIGTSTP'
  | 'SIGNAL_SIGTTIN'
  | 'SIGNAL_SIGTTOU'
  | 'SIGNAL_SIGURG'
  | 'SIGNAL_SIGUSR1'
  | 'SIGNAL_SIGUSR2'
  | 'SIGNAL_SIGVTALRM'
  | 'SIGNAL_SIGWINCH'
  | 'SIGNAL_SIGXCPU'
  | 'SIGNAL_SIGXFSZ'
  | 'SIGNAL_SIGRTMIN'
  | 'SIGNAL_SIGRTMINPLUS1'
  | 'SIGNAL_SIGRTMINPLUS2'
  | 'SIGNAL_SIGRTMINPLUS3'
  | 'SIGNAL_SIGRTMINPLUS4'
  | 'SIGNAL_SIGRTMINPLUS5'
  | 'SIGNAL_SIGRTMINPLUS6'
  | 'SIGNAL_SIGRTMINPLUS7'
  | 'SIGNAL_SIGRTMINPLUS8'
  | 'SIGNAL_SIGRTMINPLUS9'
  | 'SIGNAL_SIGRTMINPLUS10'
  | 'SIGNAL_SIGRTMINPLUS11'
  | 'SIGNAL_SIGRTMINPLUS12'
  | 'SIGNAL_SIGRTMINPLUS13'
  | 'SIGNAL_SIGRTMINPLUS14'
  | 'SIGNAL_SIGRTMINPLUS15'
  | 'SIGNAL_SIGRTMAXMINUS14'
  | 'SIGNAL_SIGRTMAXMINUS13'
  | 'SIGNAL_SIGRTMAXMINUS12'
  | 'SIGNAL_SIGRTMAXMINUS11'
  | 'SIGNAL_SIGRTMAXMINUS10'
  | 'SIGNAL_SIGRTMAXMINUS9'
  | 'SIGNAL_SIGRTMAXMINUS8'
  | 'SIGNAL_SIGRTMAXMINUS7'
  | 'SIGNAL_SIGRTMAXMINUS6'
  | 'SIGNAL_SIGRTMAXMINUS5'
  | 'SIGNAL_SIGRTMAXMINUS4'
  | 'SIGNAL_SIGRTMAXMINUS3'
  | 'SIGNAL_SIGRTMAXMINUS2'
  | 'SIGNAL_SIGRTMAXMINUS1'
  | 'SIGNAL_SIGRTMAX';
export type ContainerState = 'CONTAINER_CREATED' | 'CONTAINER_RUNNING' | 'CONTAINER_EXITED' | 'CONTAINER_UNKNOWN';
export type ContainerEventType =
  | 'CONTAINER_CREATED_EVENT'
  | 'CONTAINER_STARTED_EVENT'
  | 'CONTAINER_STOPPED_EVENT'
  | 'CONTAINER_DELETED_EVENT';
export type MetricType = 'COUNTER' | 'GAUGE';
export type CgroupDriver = 'SYSTEMD' | 'CGROUPFS';
export type SecurityProfileType = 'RuntimeDefault' | 'Unconfined' | 'Localhost';

export type VersionRequest = { version: string };
export type VersionResponse = {
  version: string;
  runtime_name: string;
  runtime_version: string;
  runtime_api_version: string;
};
export type DNSConfig = { servers: string[]; searches: string[]; options: string[] };
export type PortMapping = { protocol: Protocol; container_port: number; host_port: number; host_ip: string };
export type Mount = {
  container_path: string;
  host_path: string;
  readonly: boolean;
  selinux_relabel: boolean;
  propagation: MountPropagation;
  uidMappings: IDMapping[];
  gidMappings: IDMapping[];
  recursive_read_only: boolean;
  image: ImageSpec | null;
  image_sub_path: string;
  mount_options: string[];
};
export type IDMapping = { host_id: number; container_id: number; length: number };
export type UserNamespace = { mode: NamespaceMode; uids: IDMapping[]; gids: IDMapping[] };
export type NamespaceOption = {
  network: NamespaceMode;
  pid: NamespaceMode;
  ipc: NamespaceMode;
  target_id: string;
  userns_options: UserNamespace | null;
};
export type Int64Value = { value: Int64 };
export type LinuxSandboxSecurityContext = {
  namespace_options: NamespaceOption | null;
  selinux_options: SELinuxOption | null;
  run_as_user: Int64Value | null;
  run_as_group: Int64Value | null;
  readonly_rootfs: boolean;
  supplemental_groups: Int64[];
  supplemental_groups_policy: SupplementalGroupsPolicy;
  privileged: boolean;
  seccomp: SecurityProfile | null;
  apparmor: SecurityProfile | null;
  seccomp_profile_path: string;
};
export type SecurityProfile = { profile_type: SecurityProfileType; localhost_ref: string };
export type LinuxPodSandboxConfig = {
  cgroup_parent: string;
  security_context: LinuxSandboxSecurityContext | null;
  sysctls: Record<string, string>;
  overhead: LinuxContainerResources | null;
  resources: LinuxContainerResources | null;
};
export type PodSandboxMetadata = { name: string; uid: string; namespace: string; attempt: number };
export type PodSandboxConfig = {
  metadata: PodSandboxMetadata | null;
  hostname: string;
  log_directory: string;
  dns_config: DNSConfig | null;
  port_mappings: PortMapping[];
  labels: Record<string, string>;
  annotations: Record<string, string>;
  linux: LinuxPodSandboxConfig | null;
  windows: WindowsPodSandboxConfig | null;
};
export type RunPodSandboxRequest = { config: PodSandboxConfig | null; runtime_handler: string };
export type RunPodSandboxResponse = { pod_sandbox_id: string };
export type StopPodSandboxRequest = { pod_sandbox_id: string };
export type StopPodSandboxResponse = Record<string, never>;
export type RemovePodSandboxRequest = { pod_sandbox_id: string };
export type RemovePodSandboxResponse = Record<string, never>;
export type PodSandboxStatusRequest = { pod_sandbox_id: string; verbose: boolean };
export type PodIP = { ip: string };
export type PodSandboxNetworkStatus = { ip: string; additional_ips: PodIP[] };
export type Namespace = { options: NamespaceOption | null };
export type LinuxPodSandboxStatus = { namespaces: Namespace | null };
export type PodSandboxStatus = {
  id: string;
  metadata: PodSandboxMetadata | null;
  state: PodSandboxState;
  created_at: Int64;
  network: PodSandboxNetworkStatus | null;
  linux: LinuxPodSandboxStatus | null;
  labels: Record<string, string>;
  annotations: Record<string, string>;
  runtime_handler: string;
};
export type PodSandboxStatusResponse = {
  status: PodSandboxStatus | null;
  info: Record<string, string>;
  containers_statuses: ContainerStatus[];
  timestamp: Int64;
};
export type PodSandboxStateValue = { state: PodSandboxState };
export type PodSandboxFilter = {
  id: string;
  state: PodSandboxStateValue | null;
  label_selector: Record<string, string>;
};
export type ListPodSandboxRequest = { filter: PodSandboxFilter | null };
export type PodSandbox = {
  id: string;
  metadata: PodSandboxMetadata | null;
  state: PodSandboxState;
  created_at: Int64;
  labels: Record<string, string>;
  annotations: Record<string, string>;
  runtime_handler: string;
};
export type ListPodSandboxResponse = { items: PodSandbox[] };
export type StreamPodSandboxesRequest = { filter: PodSandboxFilter | null };
export type StreamPodSandboxesResponse = { pod_sandboxes: PodSandbox[] };
export type PodSandboxStatsRequest = { pod_sandbox_id: string };
export type PodSandboxStatsResponse = { stats: PodSandboxStats | null };
export type PodSandboxStatsFilter = { id: string; label_selector: Record<string, string> };
export type ListPodSandboxStatsRequest = { filter: PodSandboxStatsFilter | null };
export type ListPodSandboxStatsResponse = { stats: PodSandboxStats[] };
export type StreamPodSandboxStatsRequest = { filter: PodSandboxStatsFilter | null };
export type StreamPodSandboxStatsResponse = { pod_sandbox_stats: PodSandboxStats[] };
export type PodSandboxAttributes = {
  id: string;
  metadata: PodSandboxMetadata | null;
  labels: Record<string, string>;
  annotations: Record<string, string>;
};
export type PodSandboxStats = {
  attributes: PodSandboxAttributes | null;
  linux: LinuxPodSandboxStats | null;
  windows: WindowsPodSandboxStats | null;
};
export type LinuxPodSandboxStats = {
  cpu: CpuUsage | null;
  memory: MemoryUsage | null;
  network: NetworkUsage | null;
  process: ProcessUsage | null;
  containers: ContainerStats[];
  io: IoUsage | null;
};
export type WindowsPodSandboxStats = {
  cpu: WindowsCpuUsage | null;
  memory: WindowsMemoryUsage | null;
  network: WindowsNetworkUsage | null;
  process: WindowsProcessUsage | null;
  containers: WindowsContainerStats[];
};
export type NetworkUsage = {
  timestamp: Int64;
  default_interface: NetworkInterfaceUsage | null;
  interfaces: NetworkInterfaceUsage[];
};
export type WindowsNetworkUsage = {
  timestamp: Int64;
  default_interface: WindowsNetworkInterfaceUsage | null;
  interfaces: WindowsNetworkInterfaceUsage[];
};
export type NetworkInterfaceUsage = {
  name: string;
  rx_bytes: UInt64Value | null;
  rx_errors: UInt64Value | null;
  tx_bytes: UInt64Value | null;
  tx_errors: UInt64Value | null;
};
export type WindowsNetworkInterfaceUsage = {
  name: string;
  rx_bytes: UInt64Value | null;
  rx_packets_dropped: UInt64Value | null;
  tx_bytes: UInt64Value | null;
  tx_packets_dropped: UInt64Value | null;
};
export type ProcessUsage = { timestamp: Int64; process_count: UInt64Value | null };
export type WindowsProcessUsage = { timestamp: Int64; process_count: UInt64Value | null };
export type ImageSpec = {
  image: string;
  annotations: Record<string, string>;
  user_specified_image: string;
  runtime_handler: string;
  image_ref: string;
};
export type KeyValue = { key: string; value: Buffer };
export type LinuxContainerResources = {
  cpu_period: Int64;
  cpu_quota: Int64;
  cpu_shares: Int64;
  memory_limit_in_bytes: Int64;
  oom_score_adj: Int64;
  cpuset_cpus: string;
  cpuset_mems: string;
  hugepage_limits: HugepageLimit[];
  unified: Record<string, string>;
  memory_swap_limit_in_bytes: Int64;
};
export type HugepageLimit = { page_size: string; limit: Int64 };
export type SELinuxOption = { user: string; role: string; type: string; level: string };
export type Capability = {
  add_capabilities: string[];
  drop_capabilities: string[];
  add_ambient_capabilities: string[];
};
export type LinuxContainerSecurityContext = {
  capabilities: Capability | null;
  privileged: boolean;
  namespace_options: NamespaceOption | null;
  selinux_options: SELinuxOption | null;
  run_as_user: Int64Value | null;
  run_as_group: Int64Value | null;
  run_as_username: string;
  readonly_rootfs: boolean;
  supplemental_groups: Int64[];
  supplemental_groups_policy: SupplementalGroupsPolicy;
  no_new_privs: boolean;
  masked_paths: string[];
  readonly_paths: string[];
  seccomp: SecurityProfile | null;
  apparmor: SecurityProfile | null;
  apparmor_profile: string;
  seccomp_profile_path: string;
};
export type LinuxContainerConfig = {
  resources: LinuxContainerResources | null;
  security_context: LinuxContainerSecurityContext | null;
};
export type LinuxContainerUser = { uid: Int64; gid: Int64; supplemental_groups: Int64[] };
export type WindowsNamespaceOption = { network: NamespaceMode };
export type WindowsSandboxSecurityContext = {
  run_as_username: string;
  credential_spec: string;
  host_process: boolean;
  namespace_options: WindowsNamespaceOption | null;
};
export type WindowsPodSandboxConfig = { security_context: WindowsSandboxSecurityContext | null };
export type WindowsContainerSecurityContext = {
  run_as_username: string;
  credential_spec: string;
  host_process: boolean;
};
export type WindowsContainerConfig = {
  resources: WindowsContainerResources | null;
  security_context: WindowsContainerSecurityContext | null;
};
export type WindowsContainerResources = {
  cpu_shares: Int64;
  cpu_count: Int64;
  cpu_maximum: Int64;
  memory_limit_in_bytes: Int64;
  rootfs_size_in_bytes: Int64;
  affinity_cpus: WindowsCpuGroupAffinity[];
};
export type WindowsCpuGroupAffinity = { cpu_mask: Int64; cpu_group: number };
export type ContainerMetadata = { name: string; attempt: number };
export type Device = { container_path: string; host_path: string; permissions: string };
export type CDIDevice = { name: string };
export type ContainerConfig = {
  metadata: ContainerMetadata | null;
  image: ImageSpec | null;
  command: string[];
  args: string[];
  working_dir: string;
  envs: KeyValue[];
  mounts: Mount[];
  devices: Device[];
  labels: Record<string, string>;
  annotations: Record<string, string>;
  log_path: string;
  stdin: boolean;
  stdin_once: boolean;
  tty: boolean;
  linux: LinuxContainerConfig | null;
  windows: WindowsContainerConfig | null;
  CDI_devices: CDIDevice[];
  stop_signal: Signal;
};
export type CreateContainerRequest = {
  pod_sandbox_id: string;
  config: ContainerConfig | null;
  sandbox_config: PodSandboxConfig | null;
};
export type CreateContainerResponse = { container_id: string };
export type StartContainerRequest = { container_id: string };
export type StartContainerResponse = Record<string, never>;
export type StopContainerRequest = { container_id: string; timeout: Int64 };
export type StopContainerResponse = Record<string, never>;
export type RemoveContainerRequest = { container_id: string };
export type RemoveContainerResponse = Record<string, never>;
export type ContainerStateValue = { state: ContainerState };
export type ContainerFilter = {
  id: string;
  state: ContainerStateValue | null;
  pod_sandbox_id: string;
  label_selector: Record<string, string>;
};
export type ListContainersRequest = { filter: ContainerFilter | null };
export type Container = {
  id: string;
  pod_sandbox_id: string;
  metadata: ContainerMetadata | null;
  image: ImageSpec | null;
  image_ref: string;
  state: ContainerState;
  created_at: Int64;
  labels: Record<string, string>;
  annotations: Record<string, string>;
  image_id: string;
};
export type ListContainersResponse = { containers: Container[] };
export type StreamContainersRequest = { filter: ContainerFilter | null };
export type StreamContainersResponse = { containers: Container[] };
export type ContainerStatusRequest = { container_id: string; verbose: boolean };
export type ContainerStatus = {
  id: string;
  metadata: ContainerMetadata | null;
  state: ContainerState;
  created_at: Int64;
  started_at: Int64;
  finished_at: Int64;
  exit_code: number;
  image: ImageSpec | null;
  image_ref: string;
  reason: string;
  message: string;
  labels: Record<string, string>;
  annotations: Record<string, string>;
  mounts: Mount[];
  log_path: string;
  resources: ContainerResources | null;
  image_id: string;
  user: ContainerUser | null;
  stop_signal: Signal;
};
export type ContainerStatusResponse = { status: ContainerStatus | null; info: Record<string, string> };
export type ContainerResources = { linux: LinuxContainerResources | null; windows: WindowsContainerResources | null };
export type ContainerUser = { linux: LinuxContainerUser | null };
export type UpdateContainerResourcesRequest = {
  container_id: string;
  linux: LinuxContainerResources | null;
  windows: WindowsContainerResources | null;
  annotations: Record<string, string>;
};
export type UpdateContainerResourcesResponse = Record<string, never>;
export type ExecSyncRequest = { container_id: string; cmd: string[]; timeout: Int64 };
export type ExecSyncResponse = { stdout: Buffer; stderr: Buffer; exit_code: number };
export type ExecRequest = {
  container_id: string;
  cmd: string[];
  tty: boolean;
  stdin: boolean;
  stdout: boolean;
  stderr: boolean;
};
export type ExecResponse = { url: string };
export type AttachRequest = { container_id: string; stdin: boolean; tty: boolean; stdout: boolean; stderr: boolean };
export type AttachResponse = { url: string };
export type PortForwardRequest = { pod_sandbox_id: string; port: number[] };
export type PortForwardResponse = { url: string };
export type ImageFilter = { image: ImageSpec | null };
export type ListImagesRequest = { filter: ImageFilter | null };
export type Image = {
  id: string;
  repo_tags: string[];
  repo_digests: string[];
  size: Int64;
  uid: Int64Value | null;
  username: string;
  spec: ImageSpec | null;
  pinned: boolean;
};
export type ListImagesResponse = { images: Image[] };
export type StreamImagesRequest = { filter: ImageFilter | null };
export type StreamImagesResponse = { images: Image[] };
export type ImageStatusRequest = { image: ImageSpec | null; verbose: boolean };
export type ImageStatusResponse = { image: Image | null; info: Record<string, string> };
export type AuthConfig = {
  username: string;
  password: string;
  auth: string;
  server_address: string;
  identity_token: string;
  registry_token: string;
};
export type PullImageRequest = {
  image: ImageSpec | null;
  auth: AuthConfig | null;
  sandbox_config: PodSandboxConfig | null;
};
export type PullImageResponse = { image_ref: string };
export type RemoveImageRequest = { image: ImageSpec | null };
export type RemoveImageResponse = Record<string, never>;
export type NetworkConfig = { pod_cidr: string };
export type RuntimeConfig = { network_config: NetworkConfig | null };
export type UpdateRuntimeConfigRequest = { runtime_config: RuntimeConfig | null };
export type UpdateRuntimeConfigResponse = Record<string, never>;
export type RuntimeCondition = { type: string; status: boolean; reason: string; message: string };
export type RuntimeStatus = { conditions: RuntimeCondition[] };
export type StatusRequest = { verbose: boolean };
export type RuntimeHandlerFeatures = { recursive_read_only_mounts: boolean; user_namespaces: boolean };
export type RuntimeHandler = { name: string; features: RuntimeHandlerFeatures | null };
export type RuntimeFeatures = {
  supplemental_groups_policy: boolean;
  user_namespaces_host_network: boolean;
  mount_options: boolean;
};
export type StatusResponse = {
  status: RuntimeStatus | null;
  info: Record<string, string>;
  runtime_handlers: RuntimeHandler[];
  features: RuntimeFeatures | null;
};
export type ImageFsInfoRequest = Record<string, never>;
export type UInt64Value = { value: Int64 };
export type FilesystemIdentifier = { mountpoint: string };
export type FilesystemUsage = {
  timestamp: Int64;
  fs_id: FilesystemIdentifier | null;
  used_bytes: UInt64Value | null;
  inodes_used: UInt64Value | null;
};
export type WindowsFilesystemUsage = {
  timestamp: Int64;
  fs_id: FilesystemIdentifier | null;
  used_bytes: UInt64Value | null;
};
export type ImageFsInfoResponse = { image_filesystems: FilesystemUsage[]; container_filesystems: FilesystemUsage[] };
export type ContainerStatsRequest = { container_id: string };
export type ContainerStatsResponse = { stats: ContainerStats | null };
export type ListContainerStatsRequest = { filter: ContainerStatsFilter | null };
export type ContainerStatsFilter = { id: string; pod_sandbox_id: string; label_selector: Record<string, string> };
export type ListContainerStatsResponse = { stats: ContainerStats[] };
export type StreamContainerStatsRequest = { filter: ContainerStatsFilter | null };
export type StreamContainerStatsResponse = { container_stats: ContainerStats[] };
export type ContainerAttributes = {
  id: string;
  metadata: ContainerMetadata | null;
  labels: Record<string, string>;
  annotations: Record<string, string>;
};
export type ContainerStats = {
  attributes: ContainerAttributes | null;
  cpu: CpuUsage | null;
  memory: MemoryUsage | null;
  writable_layer: FilesystemUsage | null;
  swap: SwapUsage | null;
  io: IoUsage | null;
};
export type WindowsContainerStats = {
  attributes: ContainerAttributes | null;
  cpu: WindowsCpuUsage | null;
  memory: WindowsMemoryUsage | null;
  writable_layer: WindowsFilesystemUsage | null;
};
export type PsiStats = { Full: PsiData | null; Some: PsiData | null };
export type PsiData = { Total: Int64; Avg10: number; Avg60: number; Avg300: number };
export type CpuUsage = {
  timestamp: Int64;
  usage_core_nano_seconds: UInt64Value | null;
  usage_nano_cores: UInt64Value | null;
  psi: PsiStats | null;
};
export type WindowsCpuUsage = {
  timestamp: Int64;
  usage_core_nano_seconds: UInt64Value | null;
  usage_nano_cores: UInt64Value | null;
};
export type MemoryUsage = {
  timestamp: Int64;
  working_set_bytes: UInt64Value | null;
  available_bytes: UInt64Value | null;
  usage_bytes: UInt64Value | null;
  rss_bytes: UInt64Value | null;
  page_faults: UInt64Value | null;
  major_page_faults: UInt64Value | null;
  psi: PsiStats | null;
};
export type IoUsage = { timestamp: Int64; psi: PsiStats | null };
export type SwapUsage = {
  timestamp: Int64;
  swap_available_bytes: UInt64Value | null;
  swap_usage_bytes: UInt64Value | null;
};
export type WindowsMemoryUsage = {
  timestamp: Int64;
  working_set_bytes: UInt64Value | null;
  available_bytes: UInt64Value | null;
  page_faults: UInt64Value | null;
  commit_memory_bytes: UInt64Value | null;
};
export type ReopenContainerLogRequest = { container_id: string };
export type ReopenContainerLogResponse = Record<string, never>;
export type CheckpointContainerRequest = { container_id: string; location: string; timeout: Int64 };
export type CheckpointContainerResponse = Record<string, never>;
export type CheckpointPodRequest = {
  pod_sandbox_id: string;
  output_path: string;
  container_ids: string[];
  options: Record<string, string>;
};
export type CheckpointPodResponse = Record<string, never>;
export type RestorePodRequest = {
  checkpoint_path: string;
  config: PodSandboxConfig | null;
  runtime_handler: string;
  options: Record<string, string>;
  container_configs: ContainerConfig[];
};
export type RestoredContainer = { name: string; container_id: string };
export type RestorePodResponse = { pod_sandbox_id: string; restored_containers: RestoredContainer[] };
export type GetEventsRequest = Record<string, never>;
export type ContainerEventResponse = {
  container_id: string;
  container_event_type: ContainerEventType;
  created_at: Int64;
  pod_sandbox_status: PodSandboxStatus | null;
  containers_statuses: ContainerStatus[];
};
export type ListMetricDescriptorsRequest = Record<string, never>;
export type ListMetricDescriptorsResponse = { descriptors: MetricDescriptor[] };
export type MetricDescriptor = { name: string; help: string; label_keys: string[] };
export type ListPodSandboxMetricsRequest = Record<string, never>;
export type ListPodSandboxMetricsResponse = { pod_metrics: PodSandboxMetrics[] };
export type StreamPodSandboxMetricsRequest = Record<string, never>;
export type StreamPodSandboxMetricsResponse = { pod_sandbox_metrics: PodSandboxMetrics[] };
export type PodSandboxMetrics = { pod_sandbox_id: string; metrics: Metric[]; container_metrics: ContainerMetrics[] };
export type ContainerMetrics = { container_id: string; metrics: Metric[] };
export type Metric = {
  name: string;
  timestamp: Int64;
  metric_type: MetricType;
  label_values: string[];
  value: UInt64Value | null;
};
export type RuntimeConfigRequest = Record<string, never>;
export type RuntimeConfigResponse = { linux: LinuxRuntimeConfiguration | null };
export type LinuxRuntimeConfiguration = { cgroup_driver: CgroupDriver };
export type UpdatePodSandboxResourcesRequest = {
  pod_sandbox_id: string;
  overhead: LinuxContainerResources | null;
  resources: LinuxContainerResources | null;
};
export type UpdatePodSandboxResourcesResponse = Record<string, never>;

/** Every message by its name. */
export type Messages = {
  VersionRequest: VersionRequest;
  VersionResponse: VersionResponse;
  DNSConfig: DNSConfig;
  PortMapping: PortMapping;
  Mount: Mount;
  IDMapping: IDMapping;
  UserNamespace: UserNamespace;
  NamespaceOption: NamespaceOption;
  Int64Value: Int64Value;
  LinuxSandboxSecurityContext: LinuxSandboxSecurityContext;
  SecurityProfile: SecurityProfile;
  LinuxPodSandboxConfig: LinuxPodSandboxConfig;
  PodSandboxMetadata: PodSandboxMetadata;
  PodSandboxConfig: PodSandboxConfig;
  RunPodSandboxRequest: RunPodSandboxRequest;
  RunPodSandboxResponse: RunPodSandboxResponse;
  StopPodSandboxRequest: StopPodSandboxRequest;
  StopPodSandboxResponse: StopPodSandboxResponse;
  RemovePodSandboxRequest: RemovePodSandboxRequest;
  RemovePodSandboxResponse: RemovePodSandboxResponse;
  PodSandboxStatusRequest: PodSandboxStatusRequest;
  PodIP: PodIP;
  PodSandboxNetworkStatus: PodSandboxNetworkStatus;
  Namespace: Namespace;
  LinuxPodSandboxStatus: LinuxPodSandboxStatus;
  PodSandboxStatus: PodSandboxStatus;
  PodSandboxStatusResponse: PodSandboxStatusResponse;
  PodSandboxStateValue: PodSandboxStateValue;
  PodSandboxFilter: PodSandboxFilter;
  ListPodSandboxRequest: ListPodSandboxRequest;
  PodSandbox: PodSandbox;
  ListPodSandboxResponse: ListPodSandboxResponse;
  StreamPodSandboxesRequest: StreamPodSandboxesRequest;
  StreamPodSandboxesResponse: StreamPodSandboxesResponse;
  PodSandboxStatsRequest: PodSandboxStatsRequest;
  PodSandboxStatsResponse: PodSandboxStatsResponse;
  PodSandboxStatsFilter: PodSandboxStatsFilter;
  ListPodSandboxStatsRequest: ListPodSandboxStatsRequest;
  ListPodSandboxStatsResponse: ListPodSandboxStatsResponse;
  StreamPodSandboxStatsRequest: StreamPodSandboxStatsRequest;
  StreamPodSandboxStatsResponse: StreamPodSandboxStatsResponse;
  PodSandboxAttributes: PodSandboxAttributes;
  PodSandboxStats: PodSandboxStats;
  LinuxPodSandboxStats: LinuxPodSandboxStats;
  WindowsPodSandboxStats: WindowsPodSandboxStats;
  NetworkUsage: NetworkUsage;
  WindowsNetworkUsage: WindowsNetworkUsage;
  NetworkInterfaceUsage: NetworkInterfaceUsage;
  WindowsNetworkInterfaceUsage: WindowsNetworkInterfaceUsage;
  ProcessUsage: ProcessUsage;
  WindowsProcessUsage: WindowsProcessUsage;
  ImageSpec: ImageSpec;
  KeyValue: KeyValue;
  LinuxContainerResources: LinuxContainerResources;
  HugepageLimit: HugepageLimit;
  SELinuxOption: SELinuxOption;
  Capability: Capability;
  LinuxContainerSecurityContext: LinuxContainerSecurityContext;
  LinuxContainerConfig: LinuxContainerConfig;
  LinuxContainerUser: LinuxContainerUser;
  WindowsNamespaceOption: WindowsNamespaceOption;
  WindowsSandboxSecurityContext: WindowsSandboxSecurityContext;
  WindowsPodSandboxConfig: WindowsPodSandboxConfig;
  WindowsContainerSecurityContext: WindowsContainerSecurityContext;
  WindowsContainerConfig: WindowsContainerConfig;
  WindowsContainerResources: WindowsContainerResources;
  WindowsCpuGroupAffinity: WindowsCpuGroupAffinity;
  ContainerMetadata: ContainerMetadata;
  Device: Device;
  CDIDevice: CDIDevice;
  ContainerConfig: ContainerConfig;
  CreateContainerRequest: CreateContainerRequest;
  CreateContainerResponse: CreateContainerResponse;
  StartContainerRequest: StartContainerRequest;
  StartContainerResponse: StartContainerResponse;
  StopContainerRequest: StopContainerRequest;
  StopContainerResponse: StopContainerResponse;
  RemoveContainerRequest: RemoveContainerRequest;
  RemoveContainerResponse: RemoveContainerResponse;
  ContainerStateValue: ContainerStateValue;
  ContainerFilter: ContainerFilter;
  ListContainersRequest: ListContainersRequest;
  Container: Container;
  ListContainersResponse: ListContainersResponse;
  StreamContainersRequest: StreamContainersRequest;
  StreamContainersResponse: StreamContainersResponse;
  ContainerStatusRequest: ContainerStatusRequest;
  ContainerStatus: ContainerStatus;
  ContainerStatusResponse: ContainerStatusResponse;
  ContainerResources: ContainerResources;
  ContainerUser: ContainerUser;
  UpdateContainerResourcesRequest: UpdateContainerResourcesRequest;
  UpdateContainerResourcesResponse: UpdateContainerResourcesResponse;
  ExecSyncRequest: ExecSyncRequest;
  ExecSyncResponse: ExecSyncResponse;
  ExecRequest: ExecRequest;
  ExecResponse: ExecResponse;
  AttachRequest: AttachRequest;
  AttachResponse: AttachResponse;
  PortForwardRequest: PortForwardRequest;
  PortForwardResponse: PortForwardResponse;
  ImageFilter: ImageFilter;
  ListImagesRequest: ListImagesRequest;
  Image: Image;
  ListImagesResponse: ListImagesResponse;
  StreamImagesRequest: StreamImagesRequest;
  StreamImagesResponse: StreamImagesResponse;
  ImageStatusRequest: ImageStatusRequest;
  ImageStatusResponse: ImageStatusResponse;
  AuthConfig: AuthConfig;
  PullImageRequest: PullImageRequest;
  PullImageResponse: PullImageResponse;
  RemoveImageRequest: RemoveImageRequest;
  RemoveImageResponse: RemoveImageResponse;
  NetworkConfig: NetworkConfig;
  RuntimeConfig: RuntimeConfig;
  UpdateRuntimeConfigRequest: UpdateRuntimeConfigRequest;
  UpdateRuntimeConfigResponse: UpdateRuntimeConfigResponse;
  RuntimeCondition: RuntimeCondition;
  RuntimeStatus: RuntimeStatus;
  StatusRequest: StatusRequest;
  RuntimeHandlerFeatures: RuntimeHandlerFeatures;
  RuntimeHandler: RuntimeHandler;
  RuntimeFeatures: RuntimeFeatures;
  StatusResponse: StatusResponse;
  ImageFsInfoRequest: ImageFsInfoRequest;
  UInt64Value: UInt64Value;
  FilesystemIdentifier: FilesystemIdentifier;
  FilesystemUsage: FilesystemUsage;
  WindowsFilesystemUsage: WindowsFilesystemUsage;
  ImageFsInfoResponse: ImageFsInfoResponse;
  ContainerStatsRequest: ContainerStatsRequest;
  ContainerStatsResponse: ContainerStatsResponse;
  ListContainerStatsRequest: ListContainerStatsRequest;
  ContainerStatsFilter: ContainerStatsFilter;
  ListContainerStatsResponse: ListContainerStatsResponse;
  StreamContainerStatsRequest: StreamContainerStatsRequest;
  StreamContainerStatsResponse: StreamContainerStatsResponse;
  ContainerAttributes: ContainerAttributes;
  ContainerStats: ContainerStats;
  WindowsContainerStats: WindowsContainerStats;
  PsiStats: PsiStats;
  PsiData: PsiData;
  CpuUsage: CpuUsage;
  WindowsCpuUsage: WindowsCpuUsage;
  MemoryUsage: MemoryUsage;
  IoUsage: IoUsage;
  SwapUsage: SwapUsage;
  WindowsMemoryUsage: WindowsMemoryUsage;
  ReopenContainerLogRequest: ReopenContainerLogRequest;
  ReopenContainerLogResponse: ReopenContainerLogResponse;
  CheckpointContainerRequest: CheckpointContainerRequest;
  CheckpointContainerResponse: CheckpointContainerResponse;
  CheckpointPodRequest: CheckpointPodRequest;
  CheckpointPodResponse: CheckpointPodResponse;
  RestorePodRequest: RestorePodRequest;
  RestoredContainer: RestoredContainer;
  RestorePodResponse: RestorePodResponse;
  GetEventsRequest: GetEventsRequest;
  ContainerEventResponse: ContainerEventResponse;
  ListMetricDescriptorsRequest: ListMetricDescriptorsRequest;
  ListMetricDescriptorsResponse: ListMetricDescriptorsResponse;
  MetricDescriptor: MetricDescriptor;
  ListPodSandboxMetricsRequest: ListPodSandboxMetricsRequest;
  ListPodSandboxMetricsResponse: ListPodSandboxMetricsResponse;
  StreamPodSandboxMetricsRequest: StreamPodSandboxMetricsRequest;
  StreamPodSandboxMetricsResponse: StreamPodSandboxMetricsResponse;
  PodSandboxMetrics: PodSandboxMetrics;
  ContainerMetrics: ContainerMetrics;
  Metric: Metric;
  RuntimeConfigRequest: RuntimeConfigRequest;
  RuntimeConfigResponse: RuntimeConfigResponse;
  LinuxRuntimeConfiguration: LinuxRuntimeConfiguration;
  UpdatePodSandboxResourcesRequest: UpdatePodSandboxResourcesRequest;
  UpdatePodSandboxResourcesResponse: UpdatePodSandboxResourcesResponse;
};

export type Rpc<Request, Reply> = { request: Request; reply: Reply; stream: false };
export type StreamRpc<Request, Reply> = { request: Request; reply: Reply; stream: true };

/** Every rpc of RuntimeService. */
export type RuntimeServiceRpcs = {
  Version: Rpc<VersionRequest, VersionResponse>;
  RunPodSandbox: Rpc<RunPodSandboxRequest, RunPodSandboxResponse>;
  StopPodSandbox: Rpc<StopPodSandboxRequest, StopPodSandboxResponse>;
  RemovePodSandbox: Rpc<RemovePodSandboxRequest, RemovePodSandboxResponse>;
  PodSandboxStatus: Rpc<PodSandboxStatusRequest, PodSandboxStatusResponse>;
  ListPodSandbox: Rpc<ListPodSandboxRequest, ListPodSandboxResponse>;
  StreamPodSandboxes: StreamRpc<StreamPodSandboxesRequest, StreamPodSandboxesResponse>;
  CreateContainer: Rpc<CreateContainerRequest, CreateContainerResponse>;
  StartContainer: Rpc<StartContainerRequest, StartContainerResponse>;
  StopContainer: Rpc<StopContainerRequest, StopContainerResponse>;
  RemoveContainer: Rpc<RemoveContainerRequest, RemoveContainerResponse>;
  ListContainers: Rpc<ListContainersRequest, ListContainersResponse>;
  StreamContainers: StreamRpc<StreamContainersRequest, StreamContainersResponse>;
  ContainerStatus: Rpc<ContainerStatusRequest, ContainerStatusResponse>;
  UpdateContainerResources: Rpc<UpdateContainerResourcesRequest, UpdateContainerResourcesResponse>;
  ReopenContainerLog: Rpc<ReopenContainerLogRequest, ReopenContainerLogResponse>;
  ExecSync: Rpc<ExecSyncRequest, ExecSyncResponse>;
  Exec: Rpc<ExecRequest, ExecResponse>;
  Attach: Rpc<AttachRequest, AttachResponse>;
  PortForward: Rpc<PortForwardRequest, PortForwardResponse>;
  ContainerStats: Rpc<ContainerStatsRequest, ContainerStatsResponse>;
  ListContainerStats: Rpc<ListContainerStatsRequest, ListContainerStatsResponse>;
  StreamContainerStats: StreamRpc<StreamContainerStatsRequest, StreamContainerStatsResponse>;
  PodSandboxStats: Rpc<PodSandboxStatsRequest, PodSandboxStatsResponse>;
  ListPodSandboxStats: Rpc<ListPodSandboxStatsRequest, ListPodSandboxStatsResponse>;
  StreamPodSandboxStats: StreamRpc<StreamPodSandboxStatsRequest, StreamPodSandboxStatsResponse>;
  UpdateRuntimeConfig: Rpc<UpdateRuntimeConfigRequest, UpdateRuntimeConfigResponse>;
  Status: Rpc<StatusRequest, StatusResponse>;
  CheckpointContainer: Rpc<CheckpointContainerRequest, CheckpointContainerResponse>;
  CheckpointPod: Rpc<CheckpointPodRequest, CheckpointPodResponse>;
  RestorePod: Rpc<RestorePodRequest, RestorePodResponse>;
  GetContainerEvents: StreamRpc<GetEventsRequest, ContainerEventResponse>;
  ListMetricDescriptors: Rpc<ListMetricDescriptorsRequest, ListMetricDescriptorsResponse>;
  ListPodSandboxMetrics: Rpc<ListPodSandboxMetricsRequest, ListPodSandboxMetricsResponse>;
  StreamPodSandboxMetrics: StreamRpc<StreamPodSandboxMetricsRequest, StreamPodSandboxMetricsResponse>;
  RuntimeConfig: Rpc<RuntimeConfigRequest, RuntimeConfigResponse>;
  UpdatePodSandboxResources: Rpc<UpdatePodSandboxResourcesRequest, UpdatePodSandboxResourcesResponse>;
};

/** Every rpc of ImageService. */
export type ImageServiceRpcs = {
  ListImages: Rpc<ListImagesRequest, ListImagesResponse>;
  StreamImages: StreamRpc<StreamImagesRequest, StreamImagesResponse>;
  ImageStatus: Rpc<ImageStatusRequest, ImageStatusResponse>;
  PullImage: Rpc<PullImageRequest, PullImageResponse>;
  RemoveImage: Rpc<RemoveImageRequest, RemoveImageResponse>;
  ImageFsInfo: Rpc<ImageFsInfoRequest, ImageFsInfoResponse>;
};
