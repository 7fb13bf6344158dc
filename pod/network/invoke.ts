import { basename } from 'node:path';
import { RuntimeError, type ErrorKind } from '../../api/errors.ts';
import type { Engine } from '../../host/engine.ts';
import { searchPath } from '../../host/program.ts';

/** Operations of the CNI specification 1.1 that this runtime asks for. */
export type CniCommand = 'ADD' | 'DEL' | 'GC' | 'STATUS' | 'VERSION';

/** One run of a plugin: `env` are the CNI parameters of the operation beside CNI_COMMAND, `stdin` its configuration. */
export type Invocation = { path: string; command: CniCommand; env: Record<string, string>; stdin: string };

/** Longest that one plugin may take, in milliseconds; below the kubelet's four minutes for RunPodSandbox. */
const TIMEOUT_MS: Record<CniCommand, number> = {
  ADD: 180_000,
  DEL: 60_000,
  GC: 60_000,
  STATUS: 10_000,
  VERSION: 10_000,
};

/**
 * Runs one plugin in the engine and returns the object it printed, null for nothing. Of the daemon's environment the
 * plugin sees PATH only. A plugin's error (specification, section 5) becomes a RuntimeError with its code, message and
 * details.
 */
export async function invoke(
  engine: Engine,
  ask: Invocation,
  signal?: AbortSignal,
): Promise<Record<string, unknown> | null> {
  const reply = await engine.call(
    'run',
    {
      lane: laneOf(ask.command),
      path: ask.path,
      args: [],
      env: { PATH: searchPath(), ...ask.env, CNI_COMMAND: ask.command },
      stdin: ask.stdin,
      timeoutMs: TIMEOUT_MS[ask.command],
    },
    signal === undefined ? {} : { signal },
  );
  const printed = parse(reply.stdout);
  if (reply.exitCode === 0 && reply.signal === 0) return printed;
  throw pluginError(ask, printed, reply);
}

/** Questions do not queue behind work: a plugin that hangs in ADD must not keep the node from telling its state. */
function laneOf(command: Invocation['command']): 'cni-add' | 'cni-del' | 'cni-ask' {
  if (command === 'STATUS' || command === 'VERSION') return 'cni-ask';
  return command === 'DEL' || command === 'GC' ? 'cni-del' : 'cni-add';
}

function pluginError(
  ask: Invocation,
  printed: Record<string, unknown> | null,
  reply: { exitCode: number; signal: number; stderr: string; stdout: string },
): RuntimeError {
  const what = `CNI ${ask.command} by ${basename(ask.path)}`;
  if (typeof printed?.['code'] === 'number') {
    const details =
      typeof printed['details'] === 'string' && printed['details'] !== '' ? `; ${printed['details']}` : '';
    return new RuntimeError(
      kindOf(printed['code']),
      `${what} failed (code ${printed['code']}): ${String(printed['msg'])}${details}`,
    );
  }
  const said = (reply.stderr.trim() || reply.stdout.trim()).slice(-2048) || 'it printed nothing';
  const end = reply.signal > 0 ? `signal ${reply.signal}` : `exit code ${reply.exitCode}`;
  return new RuntimeError('internal', `${what} ended with ${end}: ${said}`);
}

/** Codes of the specification: 11 asks to try again later, 50 and 51 say that the plugin cannot serve ADDs now. */
const kindOf = (code: number): ErrorKind => (code === 11 || code === 50 || code === 51 ? 'unavailable' : 'internal');

function parse(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}
