/** Upstreams of tests beside the usual ones. */
import { readFileSync } from 'node:fs';
import type { RequestListener } from 'node:http';
import { createServer as createHttp2Server, createSecureServer } from 'node:http2';
import type { Http2Server, Http2ServerRequest, Http2ServerResponse } from 'node:http2';
import type { Server } from 'node:net';
import type { Teardown } from '../e2e/home.ts';
import { listenWith } from '../e2e/listening.ts';
import { echo } from '../e2e/origin.ts';
import type { Beyond } from './harmed.ts';

const pem = (name: string): Buffer => readFileSync(new URL(`../vectors/tls/${name}.pem`, import.meta.url));

/** What HTTP/2 answers by the interface of HTTP/1.1. */
type Answer = (request: Http2ServerRequest, response: Http2ServerResponse) => void;

/** One that speaks HTTP/2, over TLS or in the clear. */
export function startHttp2(
  t: Teardown,
  scheme: 'http' | 'https',
  answer: RequestListener = echo,
): Promise<Beyond> {
  const server =
    scheme === 'http'
      ? createHttp2Server()
      : createSecureServer({ key: pem('leaf.key'), cert: pem('localhost') });
  server.on('request', answer as unknown as Answer); // both have what these answers use
  server.on('sessionError', () => undefined).on('tlsClientError', () => undefined);
  return started(t, server, scheme);
}

async function started(t: Teardown, server: Server | Http2Server, scheme: 'http' | 'https'): Promise<Beyond> {
  const { port } = await listenWith(t, server);
  return { port, url: `${scheme}://localhost:${port}`, server };
}
