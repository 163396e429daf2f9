/** An https site, in HTTP/1.1 and HTTP/2, that clients call through the sidecar; it knows what reached it. */
import { readFileSync } from 'node:fs';
import { createSecureServer } from 'node:http2';
import type { Http2SecureServer, Http2ServerRequest, Http2ServerResponse } from 'node:http2';
import type { IncomingHttpHeaders } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import type { Teardown } from '../e2e/home.ts';
import { listenWith } from '../e2e/listening.ts';

/** One request, as it arrived whole. */
export interface Arrived {
  readonly method: string;
  readonly path: string;
  /** `1.1` or `2.0`. */
  readonly version: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** A site that listens. */
export interface Site {
  readonly port: number;
  /** `https://localhost:port`. */
  readonly url: string;
  readonly seen: readonly Arrived[];
  readonly server: Http2SecureServer;
  /** The client has the last piece: the next may leave. */
  advance(): void;
}

/** What `/pieces` sends, each once the one before it has arrived. */
export const PIECES = ['one\n', 'two\n', 'three\n', 'four\n'];

const tls = fileURLToPath(new URL('../vectors/tls/', import.meta.url));

/** Key and certificate for `localhost`, which the sidecar trusts and no client does. */
export const identity = {
  key: readFileSync(`${tls}leaf.key.pem`),
  cert: readFileSync(`${tls}localhost.pem`),
};

/** How a test's own paths are answered. */
export type Answer = (
  request: Arrived,
  response: Http2ServerResponse,
  inPieces: (pieces: readonly string[]) => Promise<void>,
) => void | Promise<void>;

/** Starts one: `/pieces` comes in pieces, all else is `answer`'s, and without one the request's own body. */
export async function startSite(t: Teardown, answer: Answer = echo): Promise<Site> {
  const seen: Arrived[] = [];
  const steps = new Steps();
  const server = createSecureServer({ ...identity, allowHTTP1: true });
  server.on('request', (request, response) => {
    void arrive(request).then(async (arrived) => {
      seen.push(arrived);
      const inPieces = async (pieces: readonly string[]): Promise<void> => {
        for (const piece of pieces) await steps.next(() => response.write(piece));
        response.end();
      };
      if (arrived.path !== '/pieces') return answer(arrived, response, inPieces);
      response.writeHead(200, { 'content-type': 'text/plain' });
      return inPieces(PIECES);
    });
  });
  const { port } = await listenWith(t, server, 'secureConnection');
  return { port, url: `https://localhost:${port}`, seen, server, advance: () => steps.advance() };
}

/** Answers with the body that came. */
export function echo({ headers, body }: Arrived, response: Http2ServerResponse): void {
  response.writeHead(200, { 'content-type': headers['content-type'] ?? 'text/plain' });
  response.end(body);
}

async function arrive(request: Http2ServerRequest): Promise<Arrived> {
  const { method, url: path, httpVersion: version, headers } = request;
  return { method, path, version, headers, body: (await buffer(request)).toString() };
}

/** Takes each step, then waits until it is said to have had its effect. */
class Steps {
  #advance: () => void = () => undefined;

  next(step: () => void): Promise<void> {
    const taken = new Promise<void>((resolve) => (this.#advance = resolve));
    step();
    return taken;
  }

  advance(): void {
    this.#advance();
  }
}
