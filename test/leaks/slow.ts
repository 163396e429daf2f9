/** A thousand of everything that takes its time: bodies that drip, tunnels that say nothing, agents that do not read. */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { connect as connectHttp2 } from 'node:http2';
import type { ClientHttp2Session, ClientHttp2Stream } from 'node:http2';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { rootFile } from '../e2e/tls-origin.ts';
import { openTunnel, tlsInside } from '../e2e/tunnels.ts';
import { handshakeBytes } from '../proxy/websocket-server.ts';
import { openTls } from './clients.ts';
import type { Stage } from './stage.ts';

/** What a flood needs to know of its stage. */
export type Target = Pick<Stage, 'plain' | 'tls' | 'webSocket' | 'passthrough' | 'grant'> & {
  readonly port: number;
  readonly home: string;
  /** Binds every body to `BOUND_BODY`. */
  readonly bound: string;
};

/** What `bound` binds: as much as is held in memory by default. */
export const BOUND_BODY: Buffer = Buffer.alloc(1024 * 1024, 'writ');
export const BOUND_DIGEST: string = createHash('sha256').update(BOUND_BODY).digest('hex');

const COUNT = Number(process.env['WRIT_FLOOD_COUNT'] ?? 1000);
const SIDE_BY_SIDE = 25;
const STREAMS_EACH = 100;
/** A byte of each body so often. */
const DRIP_MS = 3000;
const PIPELINED = 64;

/** Every kind, by name; resolves once all have begun. */
export const slow: Readonly<Record<string, (to: Target) => Promise<void>>> = {
  bodies: (to) => each(async () => drip(await begin(to, post(to, to.grant), ''))),
  bodiesOfStreams: (to) => streams(to, async (session) => drip(ask(session, to, 'POST', '/sink', to.grant))),
  boundBodies: (to) => each(async () => drip(await begin(to, post(to, to.bound), ''))),
  boundBodiesNearlyWhole: (to) =>
    each(async () => drip(await begin(to, post(to, to.bound), BOUND_BODY.subarray(COUNT)))),
  boundBodiesOfStreams: (to) => streams(to, async (session) => drip(ask(session, to, 'POST', '/', to.bound))),
  idleTunnels: (to) => each(async () => void (await openTls(stageOf(to), 'http/1.1'))),
  idlePassthrough: (to) =>
    each(async () => {
      const { socket } = await openTunnel(to.port, to.passthrough, { grant: to.grant });
      await tlsInside(socket, rootFile, { servername: 'localhost' });
    }),
  readers: (to) => each(async () => read(await begin(to, head('GET', to.plain, '/endless', to.grant), ''))),
  readersInTls: (to) =>
    each(async () => {
      const { tls } = await openTls(stageOf(to), 'http/1.1');
      tls.write(`GET /endless HTTP/1.1\r\nHost: ${to.tls}\r\n\r\n`);
      await read(tls);
    }),
  readersOfStreams: (to) =>
    streams(to, async (session) => read(ask(session, to, 'GET', '/endless', to.grant))),
  readersOfEvents: (to) =>
    each(async () => read(await begin(to, head('GET', to.plain, '/events', to.grant), ''))),
  readersOfWebSockets: (to) =>
    each(async () => {
      const handshake = handshakeBytes(Number(to.webSocket.split(':')[1]), `Writ-Grant: ${to.grant}`);
      await read(await begin(to, handshake, ''));
    }),
  denials: (to) => each(async () => void (await begin(to, denied(to).repeat(PIPELINED), '')).pause()),
  denialsOfStreams: (to) =>
    streams(to, async (session) => void ask(session, to, 'PATCH', '/', to.grant).pause(), 0),
};

/** So many connections. */
async function each(open: () => Promise<void>): Promise<void> {
  for (let i = 0; i < COUNT; i += SIDE_BY_SIDE)
    await Promise.all(Array.from({ length: SIDE_BY_SIDE }, () => open().catch(() => undefined)));
}

/** So many streams, on connections that are as full as they may be. */
async function streams(
  to: Target,
  open: (session: ClientHttp2Session) => Promise<void>,
  initialWindowSize = 65_535,
): Promise<void> {
  for (let i = 0; i < COUNT; i += STREAMS_EACH) {
    const { tls } = await openTls(stageOf(to), 'h2');
    const options = { createConnection: () => tls, settings: { initialWindowSize } };
    const session = connectHttp2(`https://${to.tls}`, options).on('error', () => undefined);
    const all = Array.from({ length: STREAMS_EACH }, () => open(session).catch(() => undefined));
    await Promise.all(all);
  }
}

/** What openTls reads of it. */
function stageOf({ port, home, tls, grant }: Target): Stage {
  return { sidecar: { port: () => port, home: { path: home } }, tls, grant } as unknown as Stage;
}

async function begin(to: Target, text: string, rest: string | Uint8Array): Promise<Socket> {
  const socket = connect(to.port, '127.0.0.1').on('error', () => undefined);
  await once(socket, 'connect');
  socket.write(text);
  socket.write(rest);
  return socket;
}

function ask(session: ClientHttp2Session, { tls }: Target, method: string, path: string, grant: string): ClientHttp2Stream {
  const fields = [':method', method, ':scheme', 'https', ':authority', tls, ':path', path, 'writ-grant', grant];
  return session.request(fields, { endStream: method !== 'POST' }).on('error', () => undefined);
} // prettier-ignore

function head(method: string, host: string, path: string, grant: string, ...lines: string[]): string {
  const all = [`${method} http://${host}${path} HTTP/1.1`, `Host: ${host}`, `Writ-Grant: ${grant}`, ...lines];
  return [...all, '', ''].join('\r\n');
}

function post(to: Target, grant: string): string {
  return head('POST', to.plain, '/sink', grant, `Content-Length: ${BOUND_BODY.length}`);
}

function denied(to: Target): string {
  return head('PATCH', to.plain, '/', to.grant);
}

function drip(to: Duplex): Promise<void> {
  const timer = setInterval(() => to.write('w'), DRIP_MS);
  to.resume().on('close', () => clearInterval(timer));
  return Promise.resolve();
}

/** Some bytes, and then no more. */
async function read(from: Duplex): Promise<void> {
  if (!(from.readableLength > 0)) await once(from, 'readable');
  from.read(1);
}
