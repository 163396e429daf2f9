/** An origin that writes down what reaches it, with a reader of its own that knows one spelling of everything. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { fileURLToPath } from 'node:url';
import type { Teardown } from '../e2e/home.ts';

/** A request, as far as it came. Octets as latin1. */
export interface Received {
  readonly method: string;
  readonly target: string;
  /** Name and value, in order. */
  readonly headers: readonly (readonly [string, string])[];
  readonly body: string;
  /** Whether its end came. */
  readonly whole: boolean;
}

/** An origin that listens. */
export interface Recorder {
  readonly port: number;
  readonly url: string;
  /** All requests, in the order of their end; those without an end once their connection is closed. */
  readonly received: readonly Received[];
  /** What no strict reader takes for HTTP/1.1. */
  readonly dirty: readonly string[];
  /** Closes all connections. */
  close(): void;
}

/** What to say instead of an answer, as soon as the head is there; undefined: the answer. */
export type Script = (request: Received, socket: Socket) => boolean;

const vectors = fileURLToPath(new URL('../vectors/tls/', import.meta.url));

/** Starts one; each answer repeats its request. */
export async function startRecorder(
  t: Teardown,
  { tls = false, script = () => false }: { readonly tls?: boolean; readonly script?: Script } = {},
): Promise<Recorder> {
  const received: Received[] = [];
  const dirty: string[] = [];
  const sockets = new Set<Socket>();
  const serve = (socket: Socket): void => {
    sockets.add(socket);
    record(socket, { received, dirty, script });
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
  };
  const pair = {
    key: readFileSync(`${vectors}leaf.key.pem`),
    cert: readFileSync(`${vectors}localhost.pem`),
  };
  const server: Server = tls
    ? createTlsServer({ ...pair, ALPNProtocols: ['http/1.1'] }, serve)
    : createServer(serve);
  server.on('tlsClientError', () => undefined).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo; // a TCP server that listens has one
  const close = (): void => {
    server.close();
    for (const socket of sockets) socket.destroy();
  };
  t.teardown(close);
  return {
    port,
    url: tls ? `https://localhost:${port}` : `http://127.0.0.1:${port}`,
    received,
    dirty,
    close,
  };
}

interface Book {
  readonly received: Received[];
  readonly dirty: string[];
  readonly script: Script;
}

function record(socket: Socket, { received, dirty, script }: Book): void {
  let held = '';
  let scripted = false;
  socket.setEncoding('latin1').on('data', (text: string) => {
    held += text;
    for (let next = readRequest(held); next !== 'more'; next = readRequest(held)) {
      if (next === 'dirty') {
        dirty.push(held);
        return void socket.destroy();
      }
      if (!scripted) scripted = script(next.request, socket);
      if (!next.request.whole) return;
      received.push(next.request);
      held = held.slice(next.end);
      if (!scripted) socket.write(answerTo(next.request));
      scripted = false;
      if (held === '') return;
    }
  });
  socket.on('close', () => {
    if (held === '' || dirty.includes(held)) return;
    const rest = readRequest(held);
    if (typeof rest === 'object') received.push(rest.request);
    else dirty.push(held);
  });
}

function answerTo({ method, target, headers }: Received): string {
  const trace = headers.find(([name]) => name === 'traceparent')?.[1];
  const body = JSON.stringify({ method, target, trace });
  return `HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\n\r\n${method === 'HEAD' ? '' : body}`;
}

const START = /^([A-Z-]+) (\/[\x21-\x7e]*) HTTP\/1\.1$/;
const LINE = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+): ([^\0\r\n]*)$/;

type Reading = { readonly request: Received; readonly end: number } | 'more' | 'dirty';

/** The first request of a text, as soon as its head is there. */
function readRequest(text: string): Reading {
  const end = text.indexOf('\r\n\r\n');
  if (end < 0) return 'more';
  const [first = '', ...lines] = text.slice(0, end).split('\r\n');
  const [, method, target] = START.exec(first) ?? [];
  const headers = lines.map((line) => LINE.exec(line)?.slice(1));
  if (method === undefined || target === undefined || headers.includes(undefined)) return 'dirty';
  const pairs = headers.map(([name = '', value = ''] = []) => [name.toLowerCase(), value] as const);
  const body = readBody(text.slice(end + 4), pairs);
  if (body === 'dirty') return 'dirty';
  const { content, taken, whole } = body;
  return { request: { method, target, headers: pairs, body: content, whole }, end: end + 4 + taken };
}

type BodyReading = { readonly content: string; readonly taken: number; readonly whole: boolean } | 'dirty';

function readBody(text: string, headers: Received['headers']): BodyReading {
  const framing = headers.filter(([name]) => name === 'content-length' || name === 'transfer-encoding');
  const [[name, value] = ['', '']] = framing;
  if (framing.length > 1) return 'dirty';
  if (name === 'transfer-encoding') return value === 'chunked' ? readChunks(text) : 'dirty';
  if (name === 'content-length' && !/^(?:0|[1-9]\d*)$/.test(value)) return 'dirty';
  const length = Number(value);
  const content = text.slice(0, length);
  return { content, taken: content.length, whole: content.length === length };
}

function readChunks(text: string): BodyReading {
  let content = '';
  for (let at = 0; ;) {
    const line = /^[0-9a-f]{1,8}\r\n/i.exec(text.slice(at, at + 10))?.[0];
    if (line === undefined) {
      if (text.length - at < 10) return { content, taken: at, whole: false };
      return 'dirty';
    }
    const start = at + line.length;
    const size = Number.parseInt(line, 16);
    const next = start + size;
    content += text.slice(start, next);
    if (text.length < next + 2) return { content, taken: text.length, whole: false };
    if (text.slice(next, next + 2) !== '\r\n') return 'dirty'; // trailers too: none may come on HTTP/1
    at = next + 2;
    if (size === 0) return { content, taken: at, whole: true };
  }
}
