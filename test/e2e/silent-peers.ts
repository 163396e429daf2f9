/** Upstreams that fall silent at every step of a call: where they are to be found, and what they still hold. */
import dns from 'node:dns/promises';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import type { IncomingMessage, RequestListener } from 'node:http';
import { createServer as createHttp2Server, createSecureServer } from 'node:http2';
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';
import { createServer as createHttpsServer } from 'node:https';
import { syncBuiltinESMExports } from 'node:module';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { createServer as createTlsServer } from 'node:tls';
import { startRaw } from '../proxy/small-gate.ts';
import { SWITCHING } from '../proxy/websocket-server.ts';
import { openBlackHole } from './black-hole.ts';
import { startConnectProxy } from './connect-proxy.ts';
import type { Teardown } from './home.ts';

/** What a place speaks. `closed`: TLS that is not opened. */
export type Kind = 'plain' | 'h2c' | 'tls' | 'h2' | 'closed';

/** Where calls go. */
export interface Place {
  /** Also its prefix on the reverse port. */
  readonly name: string;
  readonly kind: Kind;
  readonly port: number;
  readonly url: string;
}

/** All of them. */
export interface Peers {
  readonly places: readonly Place[];
  /** The proxy before `localhost`, which answers no CONNECT but that for TLS that stays silent. */
  readonly proxy: string;
  /** Resolves when no connection of the sidecar is open at any of them. */
  left(): Promise<void>;
}

/** A name that the resolver never answers. */
const SLOW = 'slow.test';

const pem = (name: string): Buffer => readFileSync(new URL(`../vectors/tls/${name}.pem`, import.meta.url));

/** `/head/…` is never answered, of `/body/…` comes a part, of `/hint/…` a hint. */
const answer: RequestListener = ({ url = '' }, response) => {
  if (url.startsWith('/hint')) response.writeEarlyHints({ link: '</style.css>; rel=preload' });
  if (url.startsWith('/body')) response.write('part');
};

/** The same of handshakes: a WebSocket that says nothing, or `/declined/…` a part of another answer. */
function upgrade({ url = '' }: IncomingMessage, socket: Duplex): void {
  socket
    .on('error', () => undefined)
    .on('end', () => socket.destroy())
    .resume(); // else nobody hears of its end
  if (url.startsWith('/body')) socket.write(SWITCHING);
  if (url.startsWith('/declined')) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\npart');
}

/** Speaks on connections that others accept. */
type Speaker = (socket: Socket) => unknown;

/** Polite: all that comes before a request, and the request as above. */
function polite(kind: Kind): Speaker {
  const credentials = { key: pem('leaf.key'), cert: pem('localhost') };
  const server =
    kind === 'plain' ? createHttpServer(answer)
    : kind === 'tls' ? createHttpsServer(credentials, answer)
    : kind === 'h2' ? createSecureServer(credentials)
    : createHttp2Server(); // prettier-ignore
  server.on('upgrade', upgrade).on('sessionError', () => undefined).on('tlsClientError', () => undefined); // prettier-ignore
  if (kind === 'h2' || kind === 'h2c') server.on('request', answer as unknown as Answer); // both have what it uses
  return (socket) => server.emit('connection', socket);
}

type Answer = (request: Http2ServerRequest, response: Http2ServerResponse) => void;

/** TLS, and not a word in it. */
function deaf(kind: Kind): Speaker {
  const ALPNProtocols = [kind === 'h2' ? 'h2' : 'http/1.1'];
  const server = createTlsServer({ key: pem('leaf.key'), cert: pem('localhost'), ALPNProtocols });
  server.on('secureConnection', (socket) => socket.on('error', () => undefined).resume());
  return (socket) => server.emit('connection', socket);
}

const mute = (): Speaker => (socket) => socket.resume();

const MANNERS = { mute, deaf, polite } as const;

/** Starts them; they go with the test. */
export async function startPeers(t: Teardown): Promise<Peers> {
  const open: ReadonlySet<Socket>[] = [];
  const places: Place[] = [];
  const add = (name: string, kind: Kind, port: number, host = '127.0.0.1'): void => {
    const scheme = kind === 'plain' || kind === 'h2c' ? 'http' : 'https';
    places.push({ name: `${name}-${kind}`, kind, port, url: `${scheme}://${host}:${port}` });
  };
  for (const [manner, kinds] of [
    ['mute', ['plain', 'h2c', 'tls', 'h2', 'closed']],
    ['deaf', ['tls', 'h2']],
    ['polite', ['plain', 'h2c', 'tls', 'h2']],
  ] as const)
    for (const kind of kinds) {
      const { port, sockets } = await startRaw(t, MANNERS[manner](kind));
      open.push(sockets);
      add(manner, kind, port);
    }
  const [hole, closedHole] = await Promise.all([openBlackHole(t), openBlackHole(t)]);
  add('hole', 'plain', hole);
  add('hole', 'tls', hole);
  add('hole', 'closed', closedHole);

  const behind = await startRaw(t, mute());
  const proxy = await startConnectProxy(t, (_socket, { url }) => (url?.endsWith(`:${behind.port}`) ? 'opens' : 'told'));
  open.push(behind.sockets, proxy.open);
  add('behind', 'tls', behind.port, 'localhost');
  for (const [i, kind] of (['plain', 'tls', 'closed'] as const).entries()) add('proxied', kind, i + 1, 'localhost');
  for (const [i, kind] of (['plain', 'tls', 'closed'] as const).entries()) add('slow', kind, i + 1, SLOW);
  silenceName(t);
  const left = async (): Promise<void> => {
    for (const sockets of open) for (const socket of sockets) await once(socket, 'close');
  };
  return { places, proxy: proxy.url, left };
} // prettier-ignore

/** For lookups of this process. */
function silenceName(t: Teardown): void {
  const { lookup } = dns;
  const replace = (by: unknown): void => {
    Object.assign(dns, { lookup: by });
    syncBuiltinESMExports();
  };
  replace((name: string, ...given: [object]) =>
    name === SLOW ? new Promise(() => undefined) : lookup(name, ...given),
  );
  t.teardown(() => replace(lookup));
}
