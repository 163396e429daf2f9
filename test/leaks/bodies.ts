/** Calls with bodies of any size on every carrier, and origins that send as fast as they are let. */
import { once } from 'node:events';
import { request as requestHttp } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { connect as connectHttp2 } from 'node:http2';
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';
import type { Duplex, Readable } from 'node:stream';
import { openTls } from './clients.ts';
import type { Stage } from './stage.ts';

/** Bytes of a piece. */
export const PIECE_BYTES = 256 * 1024;

/** How a call gets to the sidecar: in the clear, or in TLS that it opens. */
export type Way = 'h1' | 'tls' | 'h2';

/** How much origins have written so far. */
export const sent = { pieces: 0 };

const PIECE = Buffer.alloc(PIECE_BYTES, 'writ');
type Sink = Pick<Duplex, 'write' | 'end' | 'destroyed' | 'on' | 'once' | 'off'>;

/** To a GET of `/<pieces>` so many pieces, to anything else how many bytes came. */
export async function answerBody(
  request: IncomingMessage | Http2ServerRequest,
  response: ServerResponse | Http2ServerResponse,
): Promise<void> {
  response.on('error', () => undefined);
  if (request.method === 'GET') {
    response.statusCode = 200;
    await pour(response as unknown as Sink, Number((request.url ?? '').slice(1)), () => (sent.pieces += 1)); // both are Writables
  } else response.end(String(await drink(request)));
}

/** Sends so many pieces up, or fetches them; resolves with how many bytes arrived at the other end. */
export async function carry(
  on: Stage,
  way: Way,
  { up, pieces }: { up: boolean; pieces: number },
): Promise<number> {
  const call = await begin(on, way, { method: up ? 'POST' : 'GET', path: `/${pieces}` });
  if (up) await pour(call.up, pieces, () => undefined);
  else call.up.end();
  const down = await call.down;
  const bytes = up ? Number(await text(down)) : await drink(down);
  call.close();
  return bytes;
}

/** A call that has begun. */
export interface Begun {
  readonly up: Sink;
  /** The response's body, once its head is there. */
  readonly down: Promise<Readable>;
  close(): void;
}

/** Begins a call. */
export async function begin(
  on: Stage,
  way: Way,
  { method, path }: { method: string; path: string },
): Promise<Begun> {
  const headers = { 'writ-grant': on.grant, host: way === 'h1' ? on.plain : on.tls };
  if (way === 'h1') {
    const to = { host: '127.0.0.1', port: on.sidecar.port('forward'), path: `http://${on.plain}${path}` };
    return http1(requestHttp({ ...to, method, headers }));
  }
  const { socket, tls } = await openTls(on, way === 'h2' ? 'h2' : 'http/1.1');
  if (way === 'tls') return http1(requestHttp({ createConnection: () => tls, method, path, headers }));
  const session = connectHttp2(`https://${on.tls}`, { createConnection: () => tls });
  session.on('error', () => undefined);
  const fields = { ':method': method, ':path': path, ':authority': on.tls, 'writ-grant': on.grant };
  const stream = session.request(fields, { endStream: false });
  const down = once(stream, 'response').then(() => stream);
  return { up: stream, down, close: () => (session.destroy(), socket.destroy()) };
}

function http1(call: ReturnType<typeof requestHttp>): Begun {
  call.on('error', () => undefined);
  const down = once(call, 'response').then(([response]) => response as IncomingMessage); // node:http's event
  return { up: call as unknown as Sink, down, close: () => call.destroy() }; // it is a Writable
}

/** As much as is taken, until nobody is there any more. */
export function pourFor(
  response: ServerResponse | Http2ServerResponse,
  each: () => void = () => undefined,
): Promise<void> {
  return pour(response as unknown as Sink, Infinity, each); // both are Writables
}

/** Writes so many pieces as fast as they are taken, and says so before each. */
export async function pour(to: Sink, pieces: number, each: () => void): Promise<void> {
  for (let i = 0; i < pieces && !to.destroyed; i++) {
    each();
    if (!to.write(PIECE)) await drained(to);
  }
  to.end();
}

function drained(to: Sink): Promise<void> {
  return new Promise((resolve) => {
    const go = (): void => (to.off('drain', go), to.off('close', go), resolve());
    to.on('drain', go).on('close', go);
  });
}

async function drink(from: AsyncIterable<Buffer>): Promise<number> {
  let bytes = 0;
  for await (const chunk of from) bytes += chunk.length;
  return bytes;
}

async function text(from: AsyncIterable<Buffer>): Promise<string> {
  let all = '';
  for await (const chunk of from) all += chunk.toString();
  return all;
}
