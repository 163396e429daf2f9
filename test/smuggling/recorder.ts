/** An origin that writes down what reaches it, with a reader of its own that knows one spelling of everything. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { fileURLToPath } from 'node:url';
import type { Teardown } from '../e2e/home.ts';
import { recordHttp2 } from './http2-recorder.ts';
import { answerBody } from './received.ts';
import type { Book, Received, Script } from './received.ts';

/** An origin that listens. */
export interface Recorder {
  readonly port: number;
  readonly url: string;
  /** All requests, in the order of their end; those without an end once their connection is closed. */
  readonly received: readonly Received[];
  /** What no strict reader takes for HTTP. */
  readonly dirty: readonly string[];
  /** Closes all connections. */
  close(): void;
}

const vectors = fileURLToPath(new URL('../vectors/tls/', import.meta.url));

/** What an origin speaks. */
export type Speech = 'clear' | 'tls' | 'h2' | 'h2-clear';

/** Whether it speaks so without TLS. */
export function isClear(speech: Speech): boolean {
  return speech === 'clear' || speech === 'h2-clear';
}

/** Starts one; each answer repeats its request, where the script says nothing else. */
export async function startRecorder(
  t: Teardown,
  { speech, script }: { readonly speech: Speech; readonly script: Script },
): Promise<Recorder> {
  const received: Received[] = [];
  const dirty: string[] = [];
  const sockets = new Set<Socket>();
  const serve = (socket: Socket): void => {
    sockets.add(socket);
    (speech === 'h2' || speech === 'h2-clear' ? recordHttp2 : record)(socket, { received, dirty, script });
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
  };
  const pair = {
    key: readFileSync(`${vectors}leaf.key.pem`),
    cert: readFileSync(`${vectors}localhost.pem`),
  };
  const server: Server = isClear(speech)
    ? createServer(serve)
    : createTlsServer({ ...pair, ALPNProtocols: [speech === 'h2' ? 'h2' : 'http/1.1'] }, serve);
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
    url: isClear(speech) ? `http://127.0.0.1:${port}` : `https://localhost:${port}`,
    received,
    dirty,
    close,
  };
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
      if (!scripted) scripted = script(next.request, { socket, stream: 0 });
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

function answerTo(request: Received): string {
  const body = answerBody(request);
  const head = `HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\n\r\n`;
  return request.method === 'HEAD' ? head : head + body;
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
  const request = { method, target, headers: pairs, body: content, trailers: [], whole };
  return { request, end: end + 4 + taken };
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
