/** Agents that go away in the middle: each begins one call, hears that it runs, and is gone. */
import { once } from 'node:events';
import { connect as connectHttp2 } from 'node:http2';
import type { ClientHttp2Session } from 'node:http2';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { tlsAuthorityPaths } from '../../src/sidecar/tls-authority.ts';
import { rootFile } from '../e2e/tls-origin.ts';
import { openTunnel, tlsInside } from '../e2e/tunnels.ts';
import { RawAgent } from '../proxy/small-gate.ts';
import { frame, handshakeBytes } from '../proxy/websocket-server.ts';
import type { Stage } from './stage.ts';

/** Begins call number `i` and leaves it. */
export type Client = (on: Stage, i: number) => Promise<void>;

/** Every kind of call. */
export const clients: Readonly<Record<string, Client>> = {
  plain: async (on, i) => {
    const agent = new RawAgent(on.sidecar.port('forward'));
    const [method, path, lines, rest, sign] = PLAIN[i % PLAIN.length] ?? PLAIN[0];
    agent.socket.write(`${headOf(method, `http://${on.plain}${path}`, on, lines)}${rest}`);
    if (sign) await agent.hears(sign);
    else await once(agent.socket, 'connect');
    leave(agent.socket, i);
  },
  events: async (on, i) => {
    const agent = new RawAgent(on.sidecar.port('forward'));
    agent.socket.write(headOf('GET', `http://${on.plain}/events`, on, ['Accept: text/event-stream']));
    await agent.hears('data: one');
    leave(agent.socket, i);
  },
  webSocket: async (on, i) => {
    const agent = new RawAgent(on.sidecar.port('forward'));
    agent.socket.write(handshakeBytes(portOf(on.webSocket), `Writ-Grant: ${on.grant}`));
    await agent.hears('\r\n\r\n');
    agent.socket.write(frame('hello', { masked: true }));
    await agent.hears('hello');
    leave(agent.socket, i);
  },
  opened: async (on, i) => {
    const { socket, tls } = await openTls(on, 'http/1.1');
    tls.write(headOf('GET', '/part', on, [], on.tls));
    await hears(tls, 'data: one');
    leave(socket, i);
  },
  passthrough: async (on, i) => {
    const { socket } = await openTunnel(on.sidecar.port('forward'), on.passthrough, { grant: on.grant });
    const tls = await tlsInside(socket, rootFile, { servername: 'localhost' });
    tls.write(headOf('GET', '/part', on, [], on.passthrough));
    await hears(tls, 'data: one');
    leave(socket, i);
  },
  unopened: async (on, i) => {
    const to = i % 2 === 0 ? on.tls : on.passthrough;
    const { socket } = await openTunnel(on.sidecar.port('forward'), to, { grant: on.grant });
    if (i % 4 < 2) socket.write(Buffer.from('160301020001', 'hex')); // a hello's first bytes, and no more
    leave(socket, i);
  },
  unspoken: async (on, i) => {
    const { socket } = new RawAgent(on.sidecar.port('reverse'));
    socket.write(BEGINNINGS[i % BEGINNINGS.length] ?? '');
    await once(socket, 'connect');
    leave(socket, i);
  },
};

/** How a connection to the reverse port may begin: as HTTP/2, as HTTP/1, or as either. */
const BEGINNINGS = ['PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'GET /api/part HTT', 'PRI * ', ''];

/** A session with so many streams, of which every other is reset, and then all are gone at once. */
type Streams = (on: Stage, count: number) => Promise<void>;

/** Every kind of session. */
export const sessions: Readonly<Record<string, Streams>> = {
  streams: async (on, count) => {
    const { socket, tls } = await openTls(on, 'h2');
    const session = connectHttp2(`https://${on.tls}`, { createConnection: () => tls });
    await leaveStreams(session, on, { count, path: '/part' });
    if (!socket.closed) await new Promise((resolve) => socket.once('close', resolve)); // with or without a reset
  },
  clearStreams: async (on, count) => {
    const session = connectHttp2(`http://127.0.0.1:${on.sidecar.port('reverse')}`);
    await leaveStreams(session, on, { count, path: '/api/part' });
  },
};

interface Streamed {
  readonly count: number;
  readonly path: string;
}

async function leaveStreams(session: ClientHttp2Session, on: Stage, of: Streamed): Promise<void> {
  session.on('error', () => undefined);
  await Promise.all(Array.from({ length: of.count }, (_, i) => leaveStream(session, on, { ...of, i })));
  session.destroy();
}

async function leaveStream(
  session: ClientHttp2Session,
  on: Stage,
  { path, i }: { readonly path: string; readonly i: number },
): Promise<void> {
  const scheme = session.encrypted ? 'https' : 'http';
  const fields = [':method', 'GET', ':scheme', scheme, ':authority', on.tls, ':path', path];
  const stream = session.request([...fields, 'writ-grant', on.grant]);
  stream.on('error', () => undefined);
  await once(stream, 'data');
  if (i % 2 === 0) stream.close(8); // CANCEL, RFC 9113 §7
}

/** How a plain call is begun, and what is heard before it is left; nothing where that is right after its bytes. */
const PLAIN: readonly [Plain, ...Plain[]] = [
  ['GET', '/part', [], '', 'data: one'],
  ['GET', '/hang', [], '', undefined],
  ['POST', '/hang', ['Content-Length: 1000'], 'half', undefined],
  ['POST', '/part', ['Transfer-Encoding: chunked'], '4\r\nhalf\r\n', 'data: one'],
];
type Plain = readonly [
  method: string,
  path: string,
  lines: readonly string[],
  rest: string,
  sign: string | undefined,
];

/** TLS that the sidecar opens, with this protocol inside. */
export async function openTls(on: Stage, protocol: string): Promise<{ socket: Socket; tls: TLSSocket }> {
  const { socket } = await openTunnel(on.sidecar.port('forward'), on.tls, { grant: on.grant });
  const ca = tlsAuthorityPaths(on.sidecar.home.path).certificate;
  const tls = await tlsInside(socket, ca, { servername: 'localhost', ALPNProtocols: [protocol] });
  return { socket, tls };
}

/** Resets its connection, or closes it: every other in turn. */
function leave(socket: Socket, i: number): void {
  if (i % 2 === 0) socket.destroy();
  else socket.resetAndDestroy();
}

async function hears(tls: TLSSocket, sign: string): Promise<void> {
  let heard = '';
  while (!heard.includes(sign)) heard += String((await once(tls, 'data'))[0]);
}

function headOf(
  method: string,
  target: string,
  { grant, plain }: Stage,
  lines: readonly string[],
  host = plain,
): string {
  return [`${method} ${target} HTTP/1.1`, `Host: ${host}`, `Writ-Grant: ${grant}`, ...lines, '', ''].join(
    '\r\n',
  );
}

function portOf(authority: string): number {
  return Number(authority.split(':')[1]);
}
