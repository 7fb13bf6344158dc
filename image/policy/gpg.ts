import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { RuntimeError } from '../../api/errors.ts';
import type { Engine } from '../../host/engine.ts';
import { searchPath } from '../../host/program.ts';

const limitMs = 30_000;

/** The text that was signed, when one of the keys made the signature; undefined when none did. */
export type OpenPgp = (signature: Buffer, keys: readonly Buffer[]) => Promise<string | undefined>;

/** Asks gpgv by way of the engine; the files that it reads lie in a new `temporary()` folder meanwhile. Throws `signature` where there is no gpgv. */
export function openPgp(engine: Engine, temporary: () => string): OpenPgp {
  return async (signature, keys) => {
    const directory = temporary();
    await mkdir(directory, { mode: 0o700 });
    try {
      const [keyring, signed] = [join(directory, 'keys'), join(directory, 'signed')];
      await writeFile(keyring, Buffer.concat(keys.map(withoutArmour)));
      await writeFile(signed, signature);
      const { exitCode, stdout, stderr } = await engine.call('run', {
        lane: 'runtime',
        path: '/usr/bin/env',
        args: ['gpgv', '--homedir', directory, '--keyring', keyring, '--status-fd', '2', '--output', '-', signed],
        env: { PATH: searchPath(), LC_ALL: 'C' },
        stdin: '',
        timeoutMs: limitMs,
      });
      if (exitCode === 127) throw new RuntimeError('signature', 'gpgv is not on the PATH: install it, signatures by GPG keys need it');
      return exitCode === 0 && /^\[GNUPG:\] VALIDSIG /m.test(stderr) ? stdout : undefined;
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  };
}

/** The packets of keys in ASCII armour (RFC 9580, 6.2); others are packets already. */
export function withoutArmour(key: Buffer): Buffer {
  const blocks = [...key.toString('latin1').matchAll(/-----BEGIN PGP PUBLIC KEY BLOCK-----([\s\S]*?)-----END PGP PUBLIC KEY BLOCK-----/g)];
  if (blocks.length === 0) return key;
  return Buffer.concat(blocks.map(([, block = '']) => {
    const body = block.replaceAll('\r', '').replace(/^\n?(?:[^\n]*: [^\n]*\n)*\s*\n/, '');
    return Buffer.from(body.replace(/\n=[A-Za-z0-9+/]{4}\s*$/, ''), 'base64');
  }));
}
