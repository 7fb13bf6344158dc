import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Server, ServerCredentials, type ServerWritableStream, status } from '@grpc/grpc-js';
import test from 'ava';
import { controlService } from '../api/control.ts';
import { connect } from './daemon.ts';

test('a stream that fails before anybody reads it is told as failed to who does then', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'berth-client-'));
  const server = new Server();
  const refuse = (call: ServerWritableStream<object, object>): void => void call.emit('error', { code: status.NOT_FOUND, details: 'it is not here' });
  server.addService({ Save: controlService().Save }, { Save: refuse });
  const socket = join(folder, 'berth.sock');
  await new Promise<void>((resolve, reject) => server.bindAsync(`unix:${socket}`, ServerCredentials.createInsecure(), (error) => (error === null ? resolve() : reject(error))));
  const daemon = connect(socket);
  t.teardown(() => {
    daemon.close();
    server.forceShutdown();
    rmSync(folder, { recursive: true });
  });
  const readAll = async (replies: AsyncIterable<object>): Promise<void> => {
    for await (const reply of replies) t.fail(`told ${JSON.stringify(reply)}`);
  };
  const early = daemon.stream('Save', { images: ['absent'] });
  // Answered after the first, on the same connection.
  await t.throwsAsync(readAll(daemon.stream('Save', { images: ['absent'] })), { message: 'it is not here' });
  await t.throwsAsync(readAll(early), { message: 'it is not here' });
});
