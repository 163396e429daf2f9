/** A real HTTP server as upstream, which remembers what reached it. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Teardown } from './home.ts';

/** One request, as it arrived. */
export interface Seen {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

/** An origin that listens. */
export interface Origin {
  readonly port: number;
  /** `http://127.0.0.1:port`. */
  readonly url: string;
  readonly seen: readonly Seen[];
  /** Every byte that ever reached it, on any connection. */
  bytes(): number;
  /** Connections that are open. */
  readonly sockets: ReadonlySet<Socket>;
  /** Resolves with the next request that nobody waited for yet, one that has come already included. */
  next(): Promise<Seen>;
  /** Closes every connection, and listens no more. */
  close(): Promise<void>;
}

/** Starts one; without a listener it answers every request with its method, path and body's length. */
export async function startOrigin(t: Teardown, answer: RequestListener = echo): Promise<Origin> {
  const seen: Seen[] = [];
  const arrivals: Seen[] = [];
  const waiting: ((request: Seen) => void)[] = [];
  const all: Socket[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((request, response) => {
    const { method = '', url = '', headers } = request;
    const one = { method, url, headers, request, response };
    seen.push(one);
    const waiter = waiting.shift();
    if (waiter) waiter(one);
    else arrivals.push(one);
    answer(request, response);
  });
  server.on('connection', (socket: Socket) => {
    all.push(socket);
    sockets.add(socket);
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo; // a TCP server that listens has one
  const close = async (): Promise<void> => {
    if (!server.listening) return;
    server.close();
    server.closeAllConnections();
    await once(server, 'close');
  };
  t.teardown(close);
  const next = (): Promise<Seen> =>
    new Promise((resolve) => {
      const one = arrivals.shift();
      if (one) resolve(one);
      else waiting.push(resolve);
    });
  const bytes = (): number => all.reduce((sum, socket) => sum + socket.bytesRead, 0);
  return { port, url: `http://127.0.0.1:${port}`, seen, bytes, sockets, next, close };
}

/** Leaves every request unanswered. */
export const silent: RequestListener = () => undefined;

/** Calls that hang: those of `/hang`, until they are answered. */
export class HangingCalls {
  readonly #calls: (() => void)[] = [];

  /** Echoes every other call at once. */
  readonly answer: RequestListener = (request, response) => {
    if (request.url === '/hang') this.#calls.push(() => echo(request, response));
    else echo(request, response);
  };

  get count(): number {
    return this.#calls.length;
  }

  /** Resolves once there are more than so many. */
  async pass(count: number): Promise<void> {
    while (this.count <= count) await new Promise(setImmediate);
  }

  /** Echoes them. */
  answerAll(): void {
    for (const one of this.#calls.splice(0)) one();
  }
}

/** Method, path and length of the body, as JSON. */
export function echo(request: IncomingMessage, response: ServerResponse): void {
  let length = 0;
  request.on('data', (chunk: Buffer) => (length += chunk.length));
  request.on('end', () => {
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ method: request.method, path: request.url, length }));
  });
}
