import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort, listens, ready, start } from './process.ts';

/** nginx with TLS before a registry; asks for a client certificate and for a header. */
export type TlsFront = {
  /** `ADDRESS:PORT`. */
  readonly host: string;
  /** Files: the authority of its certificate; a client's certificate and key, which it takes. */
  readonly ca: string;
  readonly clientCertificate: string;
  readonly clientKey: string;
  readonly stop: () => Promise<void>;
};
export type TlsFrontOptions = {
  readonly directory: string;
  readonly address: string;
  /** The registry behind, `HOST:PORT`. */
  readonly behind: string;
  /** The value that it wants in the header X-Key; anyone may ask when absent. */
  readonly key?: string;
};

/** Starts it on a free port; answers 403 to clients without certificate, and 404 below paths other than /v2 and /hub. */
export async function startTlsFront({ directory, address, behind, key }: TlsFrontOptions): Promise<TlsFront> {
  const port = await freePort();
  const folder = join(directory, `tls-${port}`);
  mkdirSync(folder);
  const path = (name: string) => join(folder, name);
  certificates(path, address);
  const refuse = key === undefined ? '' : `if ($http_x_key != "${key}") { return 403; }`;
  const pass = `proxy_pass http://${behind}/v2/; proxy_set_header Host $http_host; proxy_set_header X-Forwarded-Proto https;`;
  writeFileSync(
    path('nginx.conf'),
    `daemon off; pid ${path('pid')}; error_log ${path('error.log')};
events {}
http {
  access_log ${path('access.log')};
  client_body_temp_path ${path('body')}; proxy_temp_path ${path('proxy')}; fastcgi_temp_path ${path('fastcgi')};
  uwsgi_temp_path ${path('uwsgi')}; scgi_temp_path ${path('scgi')};
  server {
    listen ${address}:${port} ssl;
    ssl_certificate ${path('server.crt')}; ssl_certificate_key ${path('server.key')};
    ssl_client_certificate ${path('ca.crt')}; ssl_verify_client ${key === undefined ? 'off' : 'on'};
    location /v2/ { ${refuse} ${pass} }
    location /hub/ { ${refuse} ${pass} }
  }
}
`,
  );
  const server = start('/usr/sbin/nginx', ['-c', path('nginx.conf'), '-p', folder], path('log'));
  await ready(server, () => listens(address, port));
  return {
    host: `${address}:${port}`,
    ca: path('ca.crt'),
    clientCertificate: path('client.crt'),
    clientKey: path('client.key'),
    stop: () => server.stop(2000),
  };
}

/** An authority, and certificates of it for the server and for a client. */
function certificates(path: (name: string) => string, address: string): void {
  const openssl = (...args: string[]) => execFileSync('openssl', args, { stdio: ['ignore', 'ignore', 'pipe'] });
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const authority = ['-x509', '-days', '2', '-subj', '/CN=berth story authority', '-addext', 'basicConstraints=critical,CA:TRUE'];
  openssl('req', ...key, ...authority, '-keyout', path('ca.key'), '-out', path('ca.crt'));
  for (const name of ['server', 'client']) {
    const signed = ['-x509', '-days', '2', '-subj', `/CN=${name}`, '-addext', `subjectAltName=IP:${address}`];
    const end = ['-addext', 'basicConstraints=critical,CA:FALSE', '-CA', path('ca.crt'), '-CAkey', path('ca.key')];
    openssl('req', ...key, ...signed, ...end, '-keyout', path(`${name}.key`), '-out', path(`${name}.crt`));
  }
}
