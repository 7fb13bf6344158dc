import { networkInterfaces } from 'node:os';
import { RuntimeError } from '../../api/errors.ts';
import { type PluginRun, type PreparedNetwork, prepare } from './chain.ts';
import type { NetworkOptions } from './cni.ts';
import type { NetworkConfig } from './config.ts';
import { DEFAULT_RANGES, inPodCidrs, writeDefault } from './default.ts';
import { configDirectory } from './directory.ts';
import { masquerade } from './masquerade.ts';
import type { PodFacts } from './runtime-config.ts';

/** The network that new pods get. */
export type CurrentNetwork = {
  /** The network as the configuration directory names it now, ready to run. Throws `unavailable` when there is none. */
  prepared(pod: Omit<PodFacts, 'podCidrs'>): Promise<PreparedNetwork>;
  setPodCidr(cidr: string): void;
  /** Takes away what was made on the host for all its pods, where no pod is left. */
  close(): Promise<void>;
};

/** What is known when no pod is meant. */
export const NO_POD: Omit<PodFacts, 'podCidrs'> = { portMappings: [], annotations: {}, dns: null, bandwidth: null };

/**
 * Reads the configuration directory, after writing the default network into it where that is wanted and it is empty.
 */
export async function currentNetwork(options: NetworkOptions, run: PluginRun): Promise<CurrentNetwork> {
  const read = configDirectory(options.configDir);
  const { relieve, remove } = masquerade(options.engine, options.log);
  const fault = options.allowDefault && (await read()).files.length === 0 ? await defaultWritten(options, run) : '';
  let podCidrs: string[] = [];
  return {
    prepared: async (pod) => {
      const { config, problems } = await read();
      if (config === null) throw new RuntimeError('unavailable', noNetwork(options.configDir, problems, fault));
      const relieved = await relieve(inPodCidrs(config, podCidrs, networkInterfaces()));
      return prepare(relieved, await chosenVersion(run, config), { ...pod, podCidrs });
    },
    setPodCidr: (cidr) => {
      const ranges = cidr.split(',').map((range) => range.trim());
      if (ranges.every((range) => /^[0-9a-fA-F.:]+\/\d{1,3}$/.test(range))) podCidrs = ranges;
      else if (cidr !== '') options.log.warn('pod range not understood', { cidr });
    },
    close: remove,
  };
}

/** Empty when it is written, else why not. */
async function defaultWritten(options: NetworkOptions, run: PluginRun): Promise<string> {
  try {
    await writeDefault(options.configDir, run.plugins, options.defaultRanges ?? DEFAULT_RANGES);
    options.log.info('no CNI configuration found, wrote the default network', { dir: options.configDir });
    return '';
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/**
 * A list that names several versions is run with the newest that all its plugins know; one that names a single version
 * is taken at its word, without asking the plugins.
 */
async function chosenVersion(run: PluginRun, { cniVersions, plugins }: NetworkConfig): Promise<string> {
  const [first, ...others] = cniVersions;
  if (others.length === 0) return first;
  const answers = await Promise.all(plugins.map(async ({ type }) => run.plugins.versions(type)));
  return cniVersions.find((version) => answers.every((known) => known.includes(version))) ?? first;
}

function noNetwork(dir: string, problems: string[], fault: string): string {
  if (problems.length > 0) return `no valid CNI configuration in ${dir}: ${problems.join('; ')}`;
  const none = `no CNI configuration in ${dir}: put a .conflist there`;
  return fault === '' ? none : `${none}; the default network could not be written: ${fault}`;
}
