import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort, ready, start } from './process.ts';
import { startTokenServer } from './token-server.ts';

/** What the two authenticated registries accept. */
export const credentials = { username: 'berth', password: 'let-me-in', identityToken: 'let-me-in-again' } as const;
/** bcrypt of the password above, the only hash the registry takes. */
const htpasswd = `${credentials.username}:$2b$05$5zEvnDwKXOmfH50cn4Ah5.Yyhy/d.DMkkkvqwIg2wZrlVbCHvX/Dy\n`;

export type Auth = 'none' | 'basic' | 'bearer';
export type Registry = {
  readonly port: number;
  /** `127.0.0.1:PORT`, as it stands in references. */
  readonly host: string;
  readonly url: string;
  readonly storage: string;
  readonly logPath: string;
  readonly stop: () => Promise<void>;
};
export type RegistryOptions = {
  /** A directory for its configuration and log. */
  readonly directory: string;
  /** Its blobs and tags; several registries may serve the same one read-only. */
  readonly storage: string;
  readonly writable?: boolean;
  readonly auth?: Auth;
  /** It gives way to all else on the machine, as one on another machine would. */
  readonly yielding?: boolean;
};

/** Starts Debian's docker-registry on a free loopback port. */
export async function startRegistry(options: RegistryOptions): Promise<Registry> {
  const port = await freePort();
  const host = `127.0.0.1:${port}`;
  const url = `http://${host}`;
  const directory = join(options.directory, `registry-${port}`);
  mkdirSync(directory, { recursive: true });
  const tokens = options.auth === 'bearer' ? await startTokenServer(directory) : undefined;
  if (options.auth === 'basic') writeFileSync(join(directory, 'htpasswd'), htpasswd);
  const auth =
    tokens?.registryAuth ??
    (options.auth === 'basic' ? { htpasswd: { realm: 'berth', path: join(directory, 'htpasswd') } } : undefined);
  const config = {
    version: 0.1,
    log: { level: 'info' },
    http: { addr: host },
    storage: {
      filesystem: { rootdirectory: options.storage },
      maintenance: { readonly: { enabled: options.writable !== true } },
    },
    ...(auth === undefined ? {} : { auth }),
  };
  const configPath = join(directory, 'config.json');
  writeFileSync(configPath, JSON.stringify(config));
  const command = [...(options.yielding === true ? ['nice', '-n', '19'] : []), 'docker-registry', 'serve', configPath];
  const server = start(command[0] ?? '', command.slice(1), join(directory, 'log'));
  await ready(server, async () => [200, 401].includes(await statusOf(`${url}/v2/`)));
  // Where each session has its share of the processors, niceness counts only within it (sched(7), autogroup).
  if (options.yielding === true && existsSync('/proc/self/autogroup')) writeFileSync(`/proc/${server.pid}/autogroup`, '19');
  const stop = async () => {
    await server.stop(1000);
    tokens?.close();
  };
  return { port, host, url, storage: options.storage, logPath: server.logPath, stop };
}

async function statusOf(url: string): Promise<number> {
  return await fetch(url).then(
    (reply) => reply.status,
    () => 0,
  );
}

/** The names whose images the tests serve themselves. */
export const mappedRegistries = ['registry.k8s.io', 'gcr.io', 'k8s.gcr.io', 'docker.io'] as const;

/** A registries.conf (version 2): mapped names go to the first host over plain HTTP, at the same repository path. */
export function registriesConf(hosts: readonly string[]): string {
  const [served = ''] = hosts;
  const mapped = mappedRegistries.map(
    (name) => `[[registry]]\nprefix = "${name}"\nlocation = "${served}"\ninsecure = true\n`,
  );
  const themselves = hosts.map((host) => `[[registry]]\nlocation = "${host}"\ninsecure = true\n`);
  return ['unqualified-search-registries = ["docker.io"]\n', ...mapped, ...themselves].join('\n');
}
