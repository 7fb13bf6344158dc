import type { PodContext } from '../pod/context.ts';
import { mountsRecursiveReadOnly, noFeatures, userNamespaceObstacle } from '../pod/runtime-features.ts';
import { rememberPodCidr } from './pod-cidr.ts';
import type { RuntimeHandlers } from './server.ts';

/** Name by which the kubelet scopes container ids: `berth://…`. */
const RUNTIME_NAME = 'berth';

/** The rpcs on the runtime as a whole; `version` is the release, `config` what verbose Status shows. */
export function runtimeHandlers(context: PodContext, version: string, config: object): RuntimeHandlers {
  return {
    Version: async () => ({
      version: '0.1.0', runtime_name: RUNTIME_NAME, runtime_version: version, runtime_api_version: 'v1',
    }),
    Status: async (request) => {
      const network = await context.network.status();
      return {
        status: {
          conditions: [
            runtimeReady(context),
            { type: 'NetworkReady', status: network.ready, reason: network.reason, message: network.message },
          ],
        },
        info: request.verbose ? { config: JSON.stringify(config) } : {},
        runtime_handlers: handlers(context),
        features: {
          supplemental_groups_policy: true,
          mount_options: true,
          user_namespaces_host_network: featuresOf(context, '').user_namespaces,
        },
      };
    },
    RuntimeConfig: async () => ({
      linux: { cgroup_driver: context.cgroup.driver === 'systemd' ? 'SYSTEMD' : 'CGROUPFS' },
    }),
    UpdateRuntimeConfig: async (request) => {
      const cidr = request.runtime_config?.network_config?.pod_cidr ?? '';
      context.network.setPodCidr(cidr);
      if (cidr !== '') rememberPodCidr(context.roots.state, cidr);
      return {};
    },
  };
}

/** Ready while the engine is there: without it no pod can be started. */
function runtimeReady(context: PodContext) {
  const ready = !context.engine.away();
  const [reason, message] = ready ? ['', ''] : ['EngineNotRunning', 'the engine has ended, another is being started'];
  return { type: 'RuntimeReady', status: ready, reason, message };
}

/** The default handler also under the empty name, as the kubelet looks it up. */
function handlers(context: PodContext) {
  return ['', ...context.runtimes.byName.keys()].map((name) => ({ name, features: featuresOf(context, name) }));
}

/** What a handler really can, with its OCI runtime on this kernel. */
function featuresOf({ runtimes, host }: PodContext, name: string) {
  const known = runtimes.byName.get(name || runtimes.defaultName)?.features ?? noFeatures;
  return {
    recursive_read_only_mounts: host.recursiveReadOnly && mountsRecursiveReadOnly(known),
    user_namespaces: userNamespaceObstacle(known, host.idmapObstacle) === '',
  };
}
