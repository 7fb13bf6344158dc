import { basename } from 'node:path';
import { type ErrorKind, RuntimeError, whileDoing } from '../../api/errors.ts';
import type { Engine } from '../../host/engine.ts';
import { searchPath } from '../../host/program.ts';

/** Operations of the CNI specification 1.1 that this runtime asks for. */
export type CniCommand = 'ADD' | 'DEL' | 'GC' | 'STATUS' | 'VERSION';

/** One run of a plugin: `env` are the CNI parameters of the operation beside CNI_COMMAND, `stdin` its configuration. */
export type Invocation = {
  path: string;
  command: CniCommand;
  env: Record<string, string>;
  stdin: string;
  /** Longest that an ADD may take, in milliseconds, and all else at most; for what asks only it can be left out. */
  timeoutMs?: number;
};

/** Longest that anything but ADD may take, in milliseconds. */
const LONGEST_MS: Record<CniCommand, number> = { ADD: Number.POSITIVE_INFINITY, DEL: 60_000, GC: 60_000, STATUS: 10_000, VERSION: 10_000 };

/** What is kept of a plugin's output, as the engine does. */
const OUTPUT_CHARACTERS = 1 << 20;

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
  const what = `CNI ${ask.command} by ${basename(ask.path)}`;
  const call = engine.call(
    'run',
    {
      lane: laneOf(ask.command),
      path: ask.path,
      args: [],
      env: { PATH: searchPath(), ...ask.env, CNI_COMMAND: ask.command },
      stdin: ask.stdin,
      timeoutMs: Math.min(ask.timeoutMs ?? LONGEST_MS.STATUS, LONGEST_MS[ask.command]),
    },
    signal === undefined ? {} : { signal },
  );
  const reply = await call.catch((error: unknown) => {
    throw whileDoing(what, error);
  });
  const printed = parse(reply.stdout);
  if (reply.exitCode !== 0 || reply.signal !== 0) throw pluginError(what, printed, reply);
  if (printed === null && ask.command === 'ADD') throw new RuntimeError('internal', `${what} printed no result${butWhat(reply.stdout)}`);
  return printed;
}

function butWhat(text: string): string {
  if (text.trim() === '') return '';
  return text.length >= OUTPUT_CHARACTERS ? ' but more than 1 MiB' : ` but ${JSON.stringify(text.trim().slice(0, 200))}`;
}

/** Questions do not queue behind work: a plugin that hangs in ADD must not keep the node from telling its state. */
function laneOf(command: Invocation['command']): 'cni-add' | 'cni-del' | 'cni-ask' {
  if (command === 'STATUS' || command === 'VERSION') return 'cni-ask';
  return command === 'DEL' || command === 'GC' ? 'cni-del' : 'cni-add';
}

function pluginError(
  what: string,
  printed: Record<string, unknown> | null,
  reply: { exitCode: number; signal: number; stderr: string; stdout: string },
): RuntimeError {
  if (typeof printed?.['code'] === 'number') {
    const details =
      typeof printed['details'] === 'string' && printed['details'] !== '' ? `; ${printed['details']}` : '';
    return new RuntimeError(
      kindOf(printed['code'], String(printed['msg'])),
      `${what} failed (code ${printed['code']}): ${String(printed['msg'])}${details}`,
    );
  }
  const said = (reply.stderr.trim() || reply.stdout.trim()).slice(-2048) || 'it printed nothing';
  const end = reply.signal > 0 ? `signal ${reply.signal}` : `exit code ${reply.exitCode}`;
  return new RuntimeError('internal', `${what} ended with ${end}: ${said}`);
}

/**
 * Codes of the specification: 11 asks to try again later, 50 and 51 say that the plugin cannot serve ADDs now. For a range
 * that is used up it has none; host-local says so in words.
 */
function kindOf(code: number, message: string): ErrorKind {
  if (message.includes('no IP addresses available')) return 'exhausted';
  return code === 11 || code === 50 || code === 51 ? 'unavailable' : 'internal';
}

function parse(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}
