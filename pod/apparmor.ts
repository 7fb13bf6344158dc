import { rmSync, writeFileSync } from 'node:fs';
import type { Log } from '../api/observe.ts';
import type { Engine } from '../host/engine.ts';
import { programPath, searchPath } from '../host/program.ts';
import { DEFAULT_APPARMOR_PROFILE, DEFAULT_APPARMOR_TEXT, loadedProfiles } from './spec/apparmor.ts';

/** How long the parser may take, in milliseconds. */
const PARSER_TIMEOUT_MS = 10_000;

/**
 * Loads the profile of containers that ask for RuntimeDefault, anew at every start, so that it is this release's. Where
 * it cannot be, the log says why, and such containers run without one. Does nothing where AppArmor is off.
 */
export async function loadDefaultProfile({ engine, stateDir, log }: { engine: Engine; stateDir: string; log: Log }): Promise<void> {
  if ((await loadedProfiles()) === null) return;
  const file = `${stateDir}/${DEFAULT_APPARMOR_PROFILE}.apparmor`;
  writeFileSync(file, DEFAULT_APPARMOR_TEXT, { mode: 0o600 });
  try {
    const path = programPath('apparmor_parser', ['/usr/sbin', '/sbin']);
    if (path === undefined) throw new Error('there is no apparmor_parser on the PATH');
    const { exitCode, stderr } = await engine.call('run', {
      lane: 'runtime', path, args: ['--replace', '--skip-cache', file], env: { PATH: searchPath() }, stdin: '', timeoutMs: PARSER_TIMEOUT_MS,
    });
    if (exitCode !== 0) throw new Error(`${path} ended with ${exitCode}: ${stderr.trim().slice(0, 500)}`);
    log.info('AppArmor profile loaded', { profile: DEFAULT_APPARMOR_PROFILE });
  } catch (error) {
    const there = (await loadedProfiles())?.includes(DEFAULT_APPARMOR_PROFILE) === true;
    log.warn(`AppArmor profile cannot be loaded: ${there ? 'an earlier one counts' : 'containers run without one'}`, {
      profile: DEFAULT_APPARMOR_PROFILE, error: String(error),
    });
  } finally {
    rmSync(file, { force: true });
  }
}
