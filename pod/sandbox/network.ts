import type { PodSandboxConfig } from '../../api/cri.ts';
import type { PodContext } from '../context.ts';
import type { NetworkPod } from '../network/cni.ts';
import { podPaths } from '../paths.ts';
import type { Sandbox } from '../record.ts';
import { portMappings } from './plan.ts';

/** The pod as its network knows it. */
export function networkPod(context: PodContext, sandbox: Sandbox, config: PodSandboxConfig): NetworkPod {
  return {
    id: sandbox.id,
    name: sandbox.name,
    namespace: sandbox.namespace,
    uid: sandbox.uid,
    netnsPath: podPaths(context.roots, sandbox.id).netns,
    portMappings: portMappings(config),
    annotations: sandbox.annotations,
    dns: config.dns_config,
  };
}
