import type { LinuxContainerResources } from '../../api/cri.ts';
import type { Sandbox } from '../record.ts';
import { podSize } from './resources.ts';
import type { SpecInput } from './input.ts';

/**
 * Annotations of the OCI configuration by which agents on the node and sandboxed runtimes know a container:
 * containerd's names and CRI-O's. The pod's own annotations are not among them, for OCI runtimes obey some
 * (`run.oci.*`, Kata's), which the author of a pod must not decide.
 */
export function annotations({ sandbox, container }: SpecInput): Record<string, string> {
  const { name = '', namespace = '', uid = '' } = sandbox.config.metadata ?? {};
  const containerName = container.config.metadata?.name ?? '';
  const imageName = container.config.image?.user_specified_image || container.config.image?.image || '';
  return {
    'io.kubernetes.cri.container-type': 'container',
    'io.kubernetes.cri.sandbox-id': sandbox.id,
    'io.kubernetes.cri.sandbox-name': name,
    'io.kubernetes.cri.sandbox-namespace': namespace,
    'io.kubernetes.cri.sandbox-uid': uid,
    'io.kubernetes.cri.container-name': containerName,
    'io.kubernetes.cri.image-name': imageName,
    'io.kubernetes.cri-o.ContainerType': 'container',
    'io.kubernetes.cri-o.SandboxID': sandbox.id,
    'io.kubernetes.cri-o.ContainerName': containerName,
    'io.kubernetes.cri-o.ImageName': imageName,
    'io.kubernetes.pod.name': name,
    'io.kubernetes.pod.namespace': namespace,
    'io.kubernetes.pod.uid': uid,
    'io.kubernetes.container.name': containerName,
  };
}

/** The same of a pod's sandbox, with what the pod may use in sum, by which runtimes size a virtual machine. */
export function sandboxAnnotations({ id, name, namespace, uid, resources }: Pick<Sandbox, 'id' | 'name' | 'namespace' | 'uid' | 'resources'>): Record<string, string> {
  return {
    'io.kubernetes.cri.container-type': 'sandbox',
    'io.kubernetes.cri.sandbox-id': id,
    'io.kubernetes.cri.sandbox-name': name,
    'io.kubernetes.cri.sandbox-namespace': namespace,
    'io.kubernetes.cri.sandbox-uid': uid,
    'io.kubernetes.cri-o.ContainerType': 'sandbox',
    'io.kubernetes.cri-o.SandboxID': id,
    'io.kubernetes.pod.name': name,
    'io.kubernetes.pod.namespace': namespace,
    'io.kubernetes.pod.uid': uid,
    ...sizes(resources?.resources ?? null),
  };
}

/** containerd's names. */
function sizes(limits: LinuxContainerResources | null): Record<string, string> {
  if (!limits) return {};
  const { cpuPeriod, cpuQuota, cpuShares, memoryBytes } = podSize(limits);
  return {
    'io.kubernetes.cri.sandbox-cpu-period': cpuPeriod,
    'io.kubernetes.cri.sandbox-cpu-quota': cpuQuota,
    'io.kubernetes.cri.sandbox-cpu-shares': cpuShares,
    'io.kubernetes.cri.sandbox-memory': memoryBytes,
  };
}
