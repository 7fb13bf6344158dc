import { RuntimeError } from '../../api/errors.ts';
import type { Engine } from '../../host/engine.ts';
import { searchPath } from '../../host/program.ts';
import { parseObject, textIn } from '../manifest/shape.ts';
import type { Credential } from './credential.ts';

/** What `docker-credential-NAME` programs find for a registry: undefined when they have nothing. */
export type CredentialHelper = (program: string, registry: string) => Promise<Credential | undefined>;

const limitMs = 10_000;

/** Asks such programs by way of the engine (Docker's credential helper protocol, `get`). Throws `unavailable`. */
export function credentialHelper(engine: Engine): CredentialHelper {
  return async (program, registry) => {
    if (!/^[A-Za-z0-9._-]+$/.test(program)) throw new RuntimeError('invalid', `credential helper '${program}' is no name of a program`);
    const { exitCode, stdout } = await engine.call('run', {
      lane: 'runtime',
      path: '/usr/bin/env',
      args: [`docker-credential-${program}`, 'get'],
      env: { PATH: searchPath(), HOME: process.env['HOME'] ?? '/root' },
      stdin: registry === 'docker.io' ? 'https://index.docker.io/v1/' : registry,
      timeoutMs: limitMs,
    });
    if (exitCode !== 0) return notFound(program, exitCode, stdout);
    const reply = parseObject(stdout, `what docker-credential-${program} answers`);
    const [username, secret] = [textIn(reply['Username'], 'Username'), textIn(reply['Secret'], 'Secret')];
    return username === '<token>' ? { kind: 'identity', token: secret } : { kind: 'basic', username, password: secret };
  };
}

/** By the protocol one line on stdout says that there are none; nothing else of the output may be shown. */
function notFound(program: string, exitCode: number, stdout: string): undefined {
  if (/credentials not found/i.test(stdout)) return undefined;
  const why = exitCode === 127 ? 'is not on the PATH' : `ended with ${exitCode}`;
  throw new RuntimeError('unavailable', `docker-credential-${program} ${why}: no credentials for the pull`);
}
