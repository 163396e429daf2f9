/** A real HTTPS server as upstream, under a root that the sidecar is told to trust. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { Server } from 'node:https';
import type { RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import type { TLSSocket, TlsOptions } from 'node:tls';
import type { Teardown } from './home.ts';
import { echo } from './origin.ts';

/** An origin that listens. */
export interface TlsOrigin {
  readonly port: number;
  /** `https://localhost:port`. */
  readonly url: string;
  readonly server: Server;
  /** `METHOD path` of every request that reached it. */
  readonly seen: readonly string[];
  /** TLS connections that came about, with the name that each was asked for. */
  readonly names: readonly (string | false | null)[];
}

const vectors = fileURLToPath(new URL('../vectors/tls/', import.meta.url));

/** The root of these tests' upstreams, as a file. */
export const rootFile = `${vectors}root.pem`;

/** Starts one; its certificate is for `localhost` and 127.0.0.1. */
export async function startTlsOrigin(
  t: Teardown,
  answer: RequestListener = echo,
  options: TlsOptions = {},
): Promise<TlsOrigin> {
  const seen: string[] = [];
  const names: (string | false | null)[] = [];
  const key = readFileSync(`${vectors}leaf.key.pem`);
  const cert = readFileSync(`${vectors}localhost.pem`);
  const server = createServer({ key, cert, ...options }, (request, response) => {
    seen.push(`${request.method} ${request.url}`);
    answer(request, response);
  });
  server.on('secureConnection', (socket: TLSSocket) => names.push(socket.servername ?? null));
  server.on('tlsClientError', () => undefined);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => (server.close(), server.closeAllConnections()));
  const { port } = server.address() as AddressInfo; // a TCP server that listens has one
  return { port, url: `https://localhost:${port}`, server, seen, names };
}
