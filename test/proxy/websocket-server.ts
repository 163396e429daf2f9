/** WebSockets for tests: servers of `ws`, servers that answer a handshake as they like, clients, and frames by hand. */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebSocket, WebSocketServer } from 'ws';
import type { ClientOptions, RawData, ServerOptions } from 'ws';
import { RawAgent, startRaw } from './small-gate.ts';
import type { Teardown } from './small-gate.ts';

/** The example of RFC 6455 §1.3. */
export const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';
export const ACCEPT = 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=';

/** A server of `ws`. */
export interface Echo {
  readonly port: number;
  readonly server: WebSocketServer;
  /** Connections that are open, WebSockets or not. */
  readonly sockets: ReadonlySet<Socket>;
}

/** A server that echoes every message, and whatever else a test wants of it. */
export async function startEcho(
  t: Teardown,
  onOpen: (socket: WebSocket) => void = () => undefined,
  options: ServerOptions = {},
): Promise<Echo> {
  const http = createServer();
  const sockets = new Set<Socket>();
  http.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  const server = new WebSocketServer({ ...options, server: http });
  server.on('connection', (socket) => {
    socket.on('error', () => undefined);
    socket.on('message', (data: RawData, binary) => socket.send(data, { binary }));
    onOpen(socket);
  });
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    http.close();
  });
  return { port: (http.address() as AddressInfo).port, server, sockets }; // it listens on TCP
}

/** A client of `ws` whose handshake goes through a proxy in absolute form. */
export function openThrough(proxy: number, port: number, options: ClientOptions = {}): WebSocket {
  const target = `127.0.0.1:${port}/chat?x=1&u=http://a//b`;
  const client = new WebSocket(`ws://${target}`, {
    perMessageDeflate: false,
    ...options,
    createConnection: () => connect(proxy, '127.0.0.1'),
    finishRequest: (request) => {
      request.path = `http://${target}`;
      request.end();
    },
  });
  client.on('error', () => undefined);
  return client;
}

/** A handshake as bytes for the forward port. */
export function handshakeBytes(port: number, ...lines: readonly string[]): string {
  return [
    `GET http://127.0.0.1:${port}/chat HTTP/1.1`,
    `Host: 127.0.0.1:${port}`,
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    `Sec-WebSocket-Key: ${KEY}`,
    ...lines,
    '',
    '',
  ].join('\r\n');
}

/** A good 101 for the example's key. */
export const SWITCHING = [
  'HTTP/1.1 101 Switching Protocols',
  'Upgrade: websocket',
  'Connection: Upgrade',
  `Sec-WebSocket-Accept: ${ACCEPT}`,
  '',
  '',
].join('\r\n');

/** A server that says this to a handshake and then hears what comes. */
export async function startTalker(
  t: Teardown,
  say: string | ((socket: Socket) => void),
): Promise<{ port: number; sockets: ReadonlySet<Socket>; heard: () => Buffer; closed: Promise<void> }> {
  const heard: Buffer[] = [];
  let close: () => void = () => undefined;
  const closed = new Promise<void>((resolve) => (close = resolve));
  const { port, sockets } = await startRaw(t, (socket) => {
    let head = '';
    socket.on('close', close).on('data', (data: Buffer) => {
      if (head.includes('\r\n\r\n')) return void heard.push(data);
      head += data.toString('latin1');
      const end = head.indexOf('\r\n\r\n');
      if (end < 0) return;
      heard.push(Buffer.from(head.slice(end + 4), 'latin1'));
      if (typeof say === 'string') socket.write(say, 'latin1');
      else say(socket);
    });
  });
  return { port, sockets, heard: () => Buffer.concat(heard), closed };
}

/** An agent of raw bytes that has opened a WebSocket. */
export async function openRaw(proxy: number, port: number): Promise<RawAgent> {
  const agent = new RawAgent(proxy);
  agent.socket.write(handshakeBytes(port));
  await agent.hears('\r\n\r\n');
  return agent;
}

/** A frame of at most 125 bytes (octets as latin1). */
export function frame(text: string, { masked = false, first = 0x81 } = {}): Buffer {
  const payload = Buffer.from(text, 'latin1');
  const mask = masked ? [1, 2, 3, 4] : [];
  return Buffer.from([
    first,
    payload.length | (masked ? 0x80 : 0),
    ...mask,
    ...payload.map((byte, i) => byte ^ (mask[i % 4] ?? 0)),
  ]);
}

/** SHA-256 and SHA3-512 as outcomes have them. */
export function digests(bytes: Buffer): { bytes: number; sha256: string; sha3_512: string } {
  const hash = (name: string): string => createHash(name).update(bytes).digest('hex');
  return { bytes: bytes.length, sha256: hash('sha256'), sha3_512: hash('sha3-512') };
}
