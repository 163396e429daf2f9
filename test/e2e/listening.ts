/** A test's own server, of whatever protocol, on a free port until the test ends. */
import type { AddressInfo, Server, Socket } from 'node:net';
import type { Teardown } from './home.ts';

/** One that listens. */
export interface Listening {
  readonly port: number;
  /** Connections that are open. */
  readonly sockets: ReadonlySet<Socket>;
}

/** Lets it listen; it goes with the test, and its connections with it. `event` brings them: after TLS, or before. */
export async function listenWith(
  t: Teardown,
  server: Pick<Server, 'on' | 'once' | 'listen' | 'close' | 'address'>,
  event: 'connection' | 'secureConnection' = 'connection',
): Promise<Listening> {
  const sockets = new Set<Socket>();
  server.on(event, (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
  });
  const begun = new Promise<void>((resolve) => server.once('listening', resolve));
  server.listen(0, '127.0.0.1');
  await begun;
  t.teardown(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  const { port } = server.address() as AddressInfo; // a TCP server that listens has one
  return { port, sockets };
}
