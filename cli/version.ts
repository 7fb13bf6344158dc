import { noArgs, type Verb } from './verb.ts';

/** `berth version` */
export const version: Verb = {
  args: noArgs,
  summary: 'Print the version of the daemon, and that of the CRI that it speaks.',
  options: {},
  async run({ daemon, print }) {
    const { runtime_name, runtime_version, runtime_api_version } = await daemon.call('Version', { version: 'v1' });
    await print(`${runtime_name} ${runtime_version}, CRI ${runtime_api_version}\n`);
  },
};
