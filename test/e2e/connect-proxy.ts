/** A small forward proxy of the kind that companies have: CONNECT and nothing else. */
import { createServer } from 'node:http';
import type { IncomingMessage, Server } from 'node:http';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import type { Teardown } from './home.ts';
import { listenWith } from './listening.ts';

/** One that listens. */
export interface ConnectProxy {
  readonly port: number;
  readonly url: string;
  readonly server: Server;
  /** Target and credentials of every CONNECT. */
  readonly asked: readonly { readonly target: string; readonly credentials: string | undefined }[];
  /** Connections of the sidecar that are open. */
  readonly open: ReadonlySet<Socket>;
}

/** What it does with a CONNECT; it opens the tunnel unless it writes something else. */
export type Manner = (socket: Socket, request: IncomingMessage) => 'opens' | 'told';

/** Starts one; it goes with the test. */
export async function startConnectProxy(t: Teardown, manner: Manner = () => 'opens'): Promise<ConnectProxy> {
  const asked: { target: string; credentials: string | undefined }[] = [];
  const server = createServer((_request, response) => response.writeHead(405).end());
  server.on('connect', (request, socket: Socket) => {
    asked.push({ target: request.url ?? '', credentials: request.headers['proxy-authorization'] });
    socket.on('end', () => socket.end()); // a server of node:http leaves it half open
    if (manner(socket, request) === 'told') return void socket.resume();
    const { hostname, port } = new URL(`http://${request.url}`);
    const upstream = connect(Number(port || 80), hostname);
    upstream.on('error', () => socket.end('HTTP/1.1 502 Bad Gateway\r\n\r\n'));
    upstream.on('connect', () => {
      if (socket.writableEnded) return void upstream.destroy(); // whoever asked has left
      socket.write('HTTP/1.1 200 Connection established\r\nvia: 1.1 corp\r\n\r\n');
      socket.pipe(upstream).pipe(socket);
      socket.on('close', () => upstream.destroy());
      upstream.on('close', () => socket.destroy());
    });
  });
  const { port, sockets: open } = await listenWith(t, server);
  return { port, url: `http://127.0.0.1:${port}`, server, asked, open };
}
