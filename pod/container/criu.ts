import { RuntimeError } from '../../api/errors.ts';
import type { Engine } from '../../host/engine.ts';
import { programPath, searchPath } from '../../host/program.ts';

/** How long CRIU may take to look at the kernel, in milliseconds. */
const CHECK_TIMEOUT_MS = 10_000;

/** Throws `unsupported`, with the reason, where CRIU is missing or says that it cannot work on this kernel (criu(8), check). */
export async function refuseWithoutCriu(engine: Engine): Promise<void> {
  const path = programPath('criu');
  if (path === undefined) throw new RuntimeError('unsupported', 'CRIU is not installed: install the package criu');
  const { exitCode, signal, stdout, stderr } = await engine.call('run', {
    lane: 'runtime', path, args: ['check'], env: { PATH: searchPath() }, stdin: '', timeoutMs: CHECK_TIMEOUT_MS,
  });
  if (exitCode === 0) return;
  const said = `${stdout}\n${stderr}`.split('\n').map((line) => line.trim()).filter((line) => line !== '').slice(-2).join('; ');
  throw new RuntimeError('unsupported', `${path} check fails on this kernel (${signal > 0 ? `signal ${signal}` : `exit code ${exitCode}`}): ${said}`);
}
