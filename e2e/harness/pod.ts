import { randomUUID } from 'node:crypto';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Daemon } from './daemon.ts';
import { until } from './process.ts';
import type { ContainerStatus } from './replies.ts';

/** The image of most tests: a shell and its applets. */
export const busybox = 'registry.k8s.io/e2e-test-images/busybox:1.29-2';

/** NamespaceMode CONTAINER for pid, as a number because crictl takes no names. */
const ownPid = { pid: 1 };

/** A pod that was run: its id and the very configuration it was made with. */
export type Pod = { readonly id: string; readonly config: PodConfig };
export type PodConfig = {
  readonly metadata: {
    readonly name: string;
    readonly uid: string;
    readonly namespace: string;
    readonly attempt: number;
  };
  readonly log_directory: string;
  readonly [field: string]: unknown;
};

/** A PodSandboxConfig as the kubelet makes one; `more` adds or replaces top-level fields. */
export function podConfig(daemon: Daemon, name: string, more: object = {}): PodConfig {
  const uid = randomUUID();
  const log_directory = join(daemon.podLogs, `e2e_${name}_${uid}`);
  mkdirSync(log_directory, { recursive: true });
  return {
    metadata: { name, uid, namespace: 'e2e', attempt: 0 },
    hostname: name,
    log_directory,
    labels: { app: name },
    linux: { cgroup_parent: daemon.cgroupParent, security_context: { namespace_options: ownPid } },
    ...more,
  };
}

/** A cgroup parent below that of the daemon's other pods, as the kubelet would name it for the cgroup driver. */
export function cgroupParentBelow({ cgroupParent }: Daemon, name: string): string {
  const [, slice] = /([^/]+)\.slice$/.exec(cgroupParent) ?? [];
  return join(cgroupParent, slice === undefined ? name : `${slice}-${name}.slice`);
}

/** RunPodSandbox with `podConfig`. */
export async function runPod(daemon: Daemon, name: string, more: object = {}): Promise<Pod> {
  const config = podConfig(daemon, name, more);
  const { pod_sandbox_id: id } = await daemon.cri.call('RunPodSandbox', { config });
  return { id, config };
}

/** A ContainerConfig of busybox with its log in the pod's log directory; `more` adds or replaces top-level fields. */
export function containerConfig(name: string, command: readonly string[], more: object = {}): object {
  return {
    metadata: { name, attempt: 0 },
    image: { image: busybox },
    command,
    log_path: `${name}.log`,
    linux: { security_context: { namespace_options: ownPid } },
    ...more,
  };
}

/** CreateContainer only; the image must be there. */
export async function createContainer(daemon: Daemon, pod: Pod, config: object): Promise<string> {
  const request = { pod_sandbox_id: pod.id, config, sandbox_config: pod.config };
  return (await daemon.cri.call('CreateContainer', request)).container_id;
}

/** CreateContainer and StartContainer of a shell script. */
export async function runScript(
  daemon: Daemon,
  pod: Pod,
  name: string,
  script: string,
  more: object = {},
): Promise<string> {
  const container_id = await createContainer(daemon, pod, containerConfig(name, ['sh', '-c', script], more));
  await daemon.cri.call('StartContainer', { container_id });
  return container_id;
}

/** ExecSync's output as text, with a shell script. */
export async function exec(
  daemon: Daemon,
  container_id: string,
  script: string,
  timeoutSeconds = 60,
): Promise<{ stdout: string; stderr: string; code: number }> {
  const reply = await daemon.cri.call('ExecSync', { container_id, cmd: ['sh', '-c', script], timeout: timeoutSeconds });
  return { stdout: reply.stdout.toString(), stderr: reply.stderr.toString(), code: reply.exit_code };
}

/** The status of one container. */
export async function statusOf(daemon: Daemon, container_id: string): Promise<ContainerStatus> {
  return (await daemon.cri.call('ContainerStatus', { container_id })).status;
}

/** The status once the container has exited. */
export async function exitOf(daemon: Daemon, id: string, timeoutMs = 60_000): Promise<ContainerStatus> {
  await until(
    async () => (await statusOf(daemon, id)).state === 'CONTAINER_EXITED',
    timeoutMs,
    `container ${id} to exit`,
  );
  return await statusOf(daemon, id);
}

/** The records of a container's log: stream, tag (F full, P partial) and text. */
export function logOf(pod: Pod, name: string): { stream: string; tag: string; text: string }[] {
  const lines = readFileSync(join(pod.config.log_directory, `${name}.log`), 'utf8')
    .split('\n')
    .filter((line) => line !== '');
  return lines.map((line) => {
    const [, stream = '', tag = '', text = ''] = /^\d{4}-\d\d-\d\dT\S+ (\w+) ([FP]) (.*)$/.exec(line) ?? [
      '',
      'malformed',
      '',
      line,
    ];
    return { stream, tag, text };
  });
}

/** The texts of a container's log, once it has at least `lines` of them. */
export async function logLines(pod: Pod, name: string, lines: number): Promise<string[]> {
  await until(() => logOf(pod, name).length >= lines, 60_000, `${lines} lines in the log of ${name}`);
  return logOf(pod, name).map((line) => line.text);
}

/** StopPodSandbox and RemovePodSandbox. */
export async function removePod(daemon: Daemon, pod_sandbox_id: string): Promise<void> {
  await daemon.cri.call('StopPodSandbox', { pod_sandbox_id });
  await daemon.cri.call('RemovePodSandbox', { pod_sandbox_id });
}
