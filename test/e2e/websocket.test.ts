/** WebSockets on every way in, to upstreams in the clear and in TLS: permitted, denied with proof, cut when a lease ends. */
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import t from 'tap';
import { WebSocket, WebSocketServer } from 'ws';
import type { ClientOptions } from 'ws';
import { openThrough, startEcho } from '../proxy/websocket-server.ts';
import { assertDenied } from './denied.ts';
import type { Recorded } from './home.ts';
import { startTlsOrigin } from './tls-origin.ts';
import { openTunnel, startTunnels, tlsInside } from './tunnels.ts';
import type { Tunnels } from './tunnels.ts';

type Way = (grant: string) => WebSocket | Promise<WebSocket>;

interface Stage {
  readonly on: Tunnels;
  readonly ways: Readonly<Record<string, Way>>;
  /** The upstreams, which echo. */
  readonly servers: readonly WebSocketServer[];
}

/** A client that says nothing of its own faults. */
function client(url: string, options: ClientOptions): WebSocket {
  return new WebSocket(url, options).on('error', () => undefined);
}

async function stage(t: { teardown(then: () => unknown): void }): Promise<Stage> {
  const echo = await startEcho(t);
  const plain = { port: echo.port, url: `http://127.0.0.1:${echo.port}` };
  const secure = await startTlsOrigin(t);
  const secureEcho = new WebSocketServer({ server: secure.server });
  secureEcho.on('connection', (socket) => {
    t.teardown(() => socket.terminate());
    socket.on('error', () => undefined).on('message', (data, binary) => socket.send(data, { binary }));
  });
  const routes = [
    { prefix: '/plain', upstream: plain.url },
    { prefix: '/secure', upstream: secure.url },
  ];
  const on = await startTunnels(t, { origins: [plain, secure], settings: { routes } });
  const { urls } = on.sidecar;
  const portOf = (url: string | undefined): number => Number(new URL(url ?? '').port);
  const headers = (grant: string): ClientOptions => ({ headers: { 'writ-grant': grant } });
  const reverse = `ws://127.0.0.1:${portOf(urls.reverse)}`;
  const far = `ws://localhost:${secure.port}/chat`; // in TLS that the test opens
  const redirected = (): ReturnType<typeof connect> => connect(portOf(urls.transparent), '127.0.0.1');
  const ways: Record<string, Way> = {
    'forward, in the clear': (grant) => openThrough(on.port, echo.port, headers(grant)),
    'reverse to http': (grant) => client(`${reverse}/plain/chat`, headers(grant)),
    'reverse to https': (grant) => client(`${reverse}/secure/chat`, headers(grant)),
    'CONNECT, in TLS': async (grant) => {
      const { socket } = await openTunnel(on.port, `localhost:${secure.port}`, { grant: on.home.grant() });
      const tls = await tlsInside(socket, on.ca, { servername: 'localhost' });
      return client(far, { ...headers(grant), createConnection: () => tls });
    },
    'transparent, in the clear': (grant) =>
      client(`${plain.url.replace('http', 'ws')}/chat`, { ...headers(grant), createConnection: redirected }),
    'transparent, in TLS': async (grant) => {
      const tls = await tlsInside(redirected(), on.ca, { servername: 'localhost' });
      return client(far, { ...headers(grant), createConnection: () => tls });
    },
  };
  return { on, ways, servers: [echo.server, secureEcho] };
}

/** The outcomes from an entry on, once there are so many. */
async function outcomes({ home }: Tunnels, from: number, count: number): Promise<readonly Recorded[]> {
  const found = (): readonly Recorded[] => home.entries(from).filter(({ type }) => type === 'outcome');
  await home.entry(() => found().length >= count);
  return found();
}

t.test('every way in leads there and back', async (t) => {
  const { on, ways } = await stage(t);
  const from = on.home.entries().length;
  for (const [name, open] of Object.entries(ways)) {
    const socket = await open(on.home.grant({ entry: { actions: ['UPGRADE'] } }));
    await once(socket, 'open');
    socket.send(name);
    const [data] = (await once(socket, 'message')) as [Buffer]; // as ws has it
    t.equal(data.toString(), name);
    socket.close(1000);
    await once(socket, 'close');
  }
  const count = Object.keys(ways).length;
  for (const { is } of await outcomes(on, from, count)) t.match(is, { ended: 'complete', status: 101 });
  const permits = on.home.entries(from).filter(({ is }) => is['verdict'] === 'permit');
  t.equal(permits.length, count);
  for (const { is } of permits)
    t.match(is, { assurance: { seen: 'opaque' }, call: { method: 'GET', upgrade: 'websocket', path: '/chat' } });
}); // prettier-ignore

t.test('a handshake that the grant does not name is denied with proof', async (t) => {
  const { on, ways, servers } = await stage(t);
  const reached: unknown[] = [];
  for (const server of servers) server.on('connection', (socket) => reached.push(socket));
  for (const [name, open] of Object.entries(ways)) {
    const socket = await open(on.home.grant({ entry: { actions: ['GET'] } }));
    const [, answer] = (await once(socket, 'unexpected-response')) as [unknown, IncomingMessage]; // as ws has it
    const headers = Object.fromEntries(Object.entries(answer.headers).map(([key, value]) => [key, String(value)]));
    const reply = { status: answer.statusCode ?? 0, headers, body: await text(answer), closed: true };
    t.comment(name);
    assertDenied(t, on.home, { reply, code: 'scope_action' });
    socket.terminate();
  }
  t.strictSame(reached, []);
}); // prettier-ignore

t.test('when its lease ends both ends hear 1008', async (t) => {
  const { on, ways, servers } = await stage(t);
  const codes: Promise<unknown>[] = [];
  const codeOf = async (socket: WebSocket): Promise<unknown> => ((await once(socket, 'close')) as [number])[0];
  for (const server of servers) server.on('connection', (socket) => codes.push(codeOf(socket)));
  const from = on.home.entries().length;
  const entry = { actions: ['UPGRADE'], max_seconds: 1 };
  await Promise.all(
    Object.entries(ways).map(async ([name, open]) => {
      const socket = await open(on.home.grant({ entry }));
      t.equal(await codeOf(socket), 1008, name);
    }),
  );
  const count = Object.keys(ways).length;
  t.strictSame(await Promise.all(codes), Array(count).fill(1008), 'the upstreams');
  for (const { is } of await outcomes(on, from, count))
    t.match(is, { ended: 'cut', by: 'lease_seconds', status: 101 });
}); // prettier-ignore
