import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** How a wire is: both numbers are those of what comes back; requests are delayed no further. */
export type WireOptions = {
  /** Port on loopback that it leads to. */
  readonly to: number;
  readonly delayMs: number;
  readonly bytesPerSecond: number;
  /** Whether the rate is each connection's own, or shared by all. */
  readonly shared: boolean;
};
export type Wire = { readonly host: string; readonly close: () => void };

/** What waits to go out before sources are told to wait, as time of the line: the queue of a router is seldom longer. */
const queueMs = 50;

/** A TCP proxy that is as slow as a wire: what comes back leaves at its rate and arrives after its delay. */
export async function startWire(options: WireOptions): Promise<Wire> {
  const sharedLine = line(options);
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (client) => {
    const upstream = connect({ port: options.to, host: '127.0.0.1', allowHalfOpen: true });
    const own = options.shared ? sharedLine : line(options);
    for (const socket of [client, upstream]) {
      socket.setNoDelay(true);
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        sockets.delete(socket);
        client.destroy();
        upstream.destroy();
      });
    }
    client.pipe(upstream);
    carry(upstream, client, own);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

type Line = {
  /** When bytes that are given to it now will have arrived, ms of `performance.now`. */
  arrival(bytes: number): number;
  /** Until it takes more, ms; 0 when it does so now. */
  waitMs(): number;
};

function line({ bytesPerSecond, delayMs }: WireOptions): Line {
  let freeAtMs = 0;
  return {
    arrival(bytes) {
      freeAtMs = Math.max(freeAtMs, performance.now()) + (bytes / bytesPerSecond) * 1000;
      return freeAtMs + delayMs;
    },
    waitMs: () => Math.max(0, freeAtMs - performance.now() - queueMs),
  };
}

/** Hands on what comes from one socket to the other, each piece when it arrives and in its order. */
function carry(from: Socket, to: Socket, { arrival, waitMs }: Line): void {
  const underway: { chunk: Buffer | undefined; atMs: number }[] = [];
  let awaited = false;
  let full = false;
  let waiting: NodeJS.Timeout | undefined;
  const takeMore = (): void => {
    clearTimeout(waiting);
    if (full || waitMs() === 0) return void (full ? from.pause() : from.resume());
    from.pause();
    waiting = setTimeout(takeMore, Math.max(1, waitMs()));
  };
  const deliverAt = (atMs: number): void => {
    awaited = true;
    setTimeout(deliver, Math.max(1, atMs - performance.now()));
  };
  const deliver = (): void => {
    awaited = false;
    for (let next = underway[0]; next !== undefined && next.atMs <= performance.now(); next = underway[0]) {
      underway.shift();
      if (next.chunk === undefined) to.end();
      else full = !to.write(next.chunk) || full;
    }
    if (full) takeMore();
    const [first] = underway;
    if (first !== undefined) deliverAt(first.atMs);
  };
  const send = (chunk: Buffer | undefined): void => {
    underway.push({ chunk, atMs: arrival(chunk?.length ?? 0) });
    if (!awaited) deliverAt(underway[0]?.atMs ?? 0);
  };
  to.on('drain', () => {
    full = false;
    takeMore();
  });
  to.on('close', () => clearTimeout(waiting));
  from.on('data', (chunk: Buffer) => {
    send(chunk);
    takeMore();
  });
  from.on('end', () => send(undefined));
}
