/** One call on every way in, to its end: for what an agent hears when its upstream falls silent. */
import { connect as connectHttp2 } from 'node:http2';
import { connect, isIP } from 'node:net';
import type { Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { hear } from '../gate/asking.ts';
import { fields, hear as hearStream } from '../proxy/http2-client.ts';
import { KEY } from '../proxy/websocket-server.ts';
import type { Kind, Place } from './silent-peers.ts';
import { openTunnel, tlsInside } from './tunnels.ts';
import type { Tunnels } from './tunnels.ts';
import { forwardHead, readReply } from './wire.ts';
import type { Reply } from './wire.ts';

/** A call that is to be made. */
export interface Asking {
  readonly on: Tunnels;
  readonly place: Place;
  readonly path: string;
  readonly grant: string;
}

/** What was heard of it. */
export interface Heard extends Reply {
  /** Its answer lacks its end. */
  readonly broken: boolean;
  /** The code of a Close frame, behind a 101. */
  readonly close?: number;
}

/** One way in. */
export interface Carrier {
  /** What it leads to. */
  readonly kinds: readonly Kind[];
  readonly action: 'GET' | 'CONNECT' | 'UPGRADE';
  readonly ask: (asking: Asking) => Promise<Heard>;
}

const SHAKE = ['Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13', `Sec-WebSocket-Key: ${KEY}`]; // prettier-ignore
const CLOSE = ['Connection: close'];

/** Every way in. */
export const carriers: Readonly<Record<string, Carrier>> = {
  'absolute-form': { kinds: ['plain', 'h2c'], action: 'GET', ask: (asking) => absolute(asking, CLOSE) },
  'the reverse port': { kinds: ['plain', 'h2c', 'tls', 'h2'], action: 'GET', ask: reverse },
  'HTTP/2 on the reverse port': { kinds: ['plain', 'h2c', 'tls', 'h2'], action: 'GET', ask: reverseHttp2 },
  CONNECT: { kinds: ['tls', 'h2'], action: 'GET', ask: (asking) => inTunnel(asking, CLOSE) },
  'HTTP/2 in CONNECT': { kinds: ['tls', 'h2'], action: 'GET', ask: http2InTunnel },
  WebSocket: { kinds: ['plain'], action: 'UPGRADE', ask: (asking) => absolute(asking, SHAKE) },
  'WebSocket in CONNECT': { kinds: ['tls'], action: 'UPGRADE', ask: (asking) => inTunnel(asking, SHAKE) },
  'CONNECT that stays closed': { kinds: ['closed'], action: 'CONNECT', ask: closedTunnel },
};

function absolute({ on, place, path, grant }: Asking, lines: readonly string[]): Promise<Heard> {
  const socket = connect(on.port, '127.0.0.1');
  socket.write(forwardHead('GET', `${place.url}${path}`, `Writ-Grant: ${grant}`, ...lines));
  return hearReply(socket);
}

function reverse({ on, place, path, grant }: Asking): Promise<Heard> {
  const url = new URL(`/${place.name}${path}`, on.sidecar.urls.reverse);
  const socket = connect(Number(url.port), '127.0.0.1');
  const lines = [`Host: ${url.host}`, `Writ-Grant: ${grant}`, ...CLOSE];
  socket.write([`GET ${url.pathname} HTTP/1.1`, ...lines, '', ''].join('\r\n'));
  return hearReply(socket);
}

function reverseHttp2({ on, place, path, grant }: Asking): Promise<Heard> {
  const socket = connect(Number(new URL(on.sidecar.urls.reverse ?? '').port), '127.0.0.1');
  return hearHttp2(socket, fields('GET', `/${place.name}${path}`, 'writ-grant', grant));
}

async function inTunnel(asking: Asking, lines: readonly string[]): Promise<Heard> {
  const { place, path, grant } = asking;
  const tls = await enter(asking, 'http/1.1');
  const { host } = new URL(place.url);
  tls.write([`GET ${path} HTTP/1.1`, `Host: ${host}`, `Writ-Grant: ${grant}`, ...lines, '', ''].join('\r\n'));
  return hearReply(tls);
}

async function http2InTunnel(asking: Asking): Promise<Heard> {
  const { place, path, grant } = asking;
  const { host } = new URL(place.url);
  const head = [':method', 'GET', ':scheme', 'https', ':authority', host, ':path', path];
  return hearHttp2(await enter(asking, 'h2'), [...head, 'writ-grant', grant]);
}

async function enter({ on, place, grant }: Asking, protocol: string): Promise<Socket> {
  const { host, hostname } = new URL(place.url);
  const { socket } = await openTunnel(on.port, host, { grant });
  return tlsInside(socket, on.ca, { ...named(hostname), ALPNProtocols: [protocol] });
}

/** What is asked in TLS stays between the two ends. */
async function closedTunnel({ on, place, grant }: Asking): Promise<Heard> {
  const { host, hostname } = new URL(place.url);
  const { socket, reply } = await openTunnel(on.port, host, { grant });
  if (reply.status !== 200) return { ...reply, broken: false };
  const tls = connectTls({ socket, ...named(hostname) });
  await hear(tls);
  return { ...reply, broken: true };
}

/** An address has no SNI. */
function named(hostname: string): { host: string } | { servername: string } {
  return isIP(hostname) ? { host: hostname } : { servername: hostname };
}

async function hearReply(socket: Socket): Promise<Heard> {
  const text = await hear(socket);
  const reply = readReply(text, true);
  if (!reply) throw new Error(`no reply, but ${JSON.stringify(text)}`);
  const { status, headers, body } = reply;
  if (status === 101) return { ...reply, broken: true, close: closeCode(text) };
  const length = headers['content-length'];
  return { ...reply, broken: length === undefined ? !body.endsWith('0\r\n\r\n') : Buffer.byteLength(body) < Number(length) };
} // prettier-ignore

/** Of the frame behind a head (RFC 6455 §5.5.1). */
function closeCode(text: string): number {
  return Buffer.from(text.slice(text.indexOf('\r\n\r\n') + 4), 'latin1').readUInt16BE(2);
}

async function hearHttp2(socket: Socket, request: readonly string[]): Promise<Heard> {
  const session = connectHttp2('http://sidecar', { createConnection: () => socket });
  session.on('error', () => undefined);
  try {
    const { status, headers: list, body, reset } = await hearStream(session.request(request));
    const headers = Object.fromEntries(list.flatMap((name, i) => (i % 2 === 0 ? [[name, list[i + 1] ?? '']] : [])));
    return { status, headers, body: Buffer.from(body, 'latin1').toString(), closed: true, broken: reset !== 0 };
  } finally {
    session.destroy();
  }
} // prettier-ignore
