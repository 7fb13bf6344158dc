import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startWire, type Wire } from '../bench/wire.ts';
import { assemble } from '../images/image.ts';
import { push } from '../images/push.ts';
import type { Daemon } from './daemon.ts';
import { textOf } from './files.ts';
import { startRegistry } from './registry.ts';

/** An image that its registry serves by two mirrors, each behind a wire of its own. */
export type Mirrored = {
  /** How often a part of its layer was asked for. */
  ranges: () => number;
  /** Both mirrors are there again, at other ports; the daemon's registries.conf says so. */
  renew: () => Promise<void>;
  /** Breaks all connections of the first mirror and takes no more. */
  cutFirst: () => void;
  close: () => Promise<void>;
};

/** Serves `docker.io/REPOSITORY:1`, of one layer that no compression makes smaller, to the daemon. */
export async function serveByMirrors(
  daemon: Daemon,
  { repository, sizeBytes, bytesPerSecond }: { repository: string; sizeBytes: number; bytesPerSecond: number },
): Promise<Mirrored> {
  const { directory } = daemon;
  const registry = await startRegistry({ directory, storage: join(directory, 'mirrored'), writable: true });
  const entry = { path: 'wide', type: 'file', content: randomBytes(sizeBytes) } as const;
  const image = assemble({ names: [`${repository}:1`], format: 'oci', layers: [{ entries: [entry], compression: 'none' }] });
  await push(registry.url, [`${repository}:1`], image, new Map());
  const conf = join(directory, 'registries.conf');
  const before = readFileSync(conf, 'utf8');
  let wires: Wire[] = [];
  const endWires = (): void => {
    for (const { close } of wires) close();
  };
  const renew = async (): Promise<void> => {
    endWires();
    const wire = { to: registry.port, delayMs: 1, bytesPerSecond, shared: false };
    wires = await Promise.all([startWire(wire), startWire(wire)]);
    const mirrors = wires.map(({ host }) => `[[registry.mirror]]\nlocation = "${host}/${repository}"\ninsecure = true\n`);
    writeFileSync(conf, `${before}\n[[registry]]\nprefix = "docker.io/${repository}"\nlocation = "${registry.host}/${repository}"\ninsecure = true\n${mirrors.join('')}`);
  };
  await renew();
  return {
    ranges: () => textOf(registry.logPath).split('\n').filter((line) => /http\.response\.status=206/.test(line)).length,
    renew,
    cutFirst: () => wires[0]?.close(),
    async close() {
      endWires();
      await registry.stop();
    },
  };
}
