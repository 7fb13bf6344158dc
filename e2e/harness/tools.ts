import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { cache, prebuilt, repository } from './paths.ts';

export type ToolName =
  | 'crictl'
  | 'critest'
  | 'ginkgo'
  | 'cribench'
  | 'cridescriptor'
  | 'effectiveuid'
  | 'steady'
  | 'activate'
  | 'runc'
  | 'containerd'
  | 'containerd-shim-runc-v2'
  | 'kubelet'
  | 'youki';

const built = new Set<ToolName>();

/** The path of a tool, built first when absent or outdated (`e2e/tools/build` says so on the terminal). */
export function tool(name: ToolName): string {
  if (!built.has(name) && prebuilt === undefined) {
    const build = spawnSync(join(repository, 'e2e/tools/build'), [name], { stdio: ['ignore', 'inherit', 'inherit'] });
    if (build.status !== 0) throw new Error(`e2e/tools/build ${name} failed; see its output above`);
    built.add(name);
  }
  return join(cache, 'tools', name);
}
