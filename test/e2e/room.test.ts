/** At the limit of connections those that carry nothing make room for who comes, and those with a call under way stay. */
import { once } from 'node:events';
import { connect as connectHttp2 } from 'node:http2';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import t from 'tap';
import { handshakeBytes, startEcho } from '../proxy/websocket-server.ts';
import { HangingCalls, startOrigin } from './origin.ts';
import { rootFile, startTlsOrigin } from './tls-origin.ts';
import { askInside, startTunnels, tlsInside } from './tunnels.ts';
import { exchange } from './wire.ts';

type Port = 'forward' | 'reverse' | 'transparent';

const hanging = new HangingCalls();
const { answer } = hanging;

const plain = await startOrigin(t, answer);
const secure = await startTlsOrigin(t, answer);
const pinned = await startTlsOrigin(t, answer);
const webSocket = await startEcho(t);
const inside = `localhost:${secure.port}`;
const closed = `127.0.0.1:${pinned.port}`;
const { home, sidecar, ca, said } = await startTunnels(t, {
  origins: [
    ...[plain, secure, { port: pinned.port, url: `https://${closed}` }],
    { port: webSocket.port, url: `http://127.0.0.1:${webSocket.port}` },
  ],
  settings: { limits: { max_connections: 1 }, tls: { passthrough: [closed] } },
});
const grant = home.grant({ entry: { actions: ['GET', 'CONNECT', 'UPGRADE'] } });
const header = `Writ-Grant: ${grant}`;
/** How often an HTTP/2 connection was told that it ends. */
let goodbyes = 0;

function head(method: string, target: string, host: string): string {
  return [`${method} ${target} HTTP/1.1`, `Host: ${host}`, header, '', ''].join('\r\n');
}

const plainHost = `127.0.0.1:${plain.port}`;
const heads: Readonly<Record<Port, (path: string) => string>> = {
  forward: (path) => head('GET', `${plain.url}${path}`, plainHost),
  reverse: (path) => head('GET', `/api${path}`, 'sidecar.test'),
  transparent: (path) => head('GET', path, plainHost),
};

function portOf(name: Port): number {
  return Number(new URL(sidecar.urls[name] ?? '').port);
}

/** What an agent does on its connection until it is as a row of a table says. */
type Open = (socket: Socket) => Promise<unknown>;

/** A connection that is. Once more where the one before still had its place. */
async function place(to: Port, open: Open): Promise<Socket> {
  const socket = connect(portOf(to), '127.0.0.1').on('error', () => undefined);
  const gone = new Promise<false>((resolve) => socket.once('close', () => resolve(false)));
  const isOpen = await Promise.race([open(socket).then(() => true, () => false), gone]); // prettier-ignore
  return isOpen ? socket : place(to, open);
}

/** Sends this, and waits for what comes. */
const says =
  (bytes: string | Uint8Array, reply = '"length":0}'): Open =>
  async (socket) => {
    socket.write(bytes);
    for (let heard = ''; !heard.includes(reply);) heard += String((await once(socket, 'data'))[0]);
  };

const tunnel: Open = says(head('CONNECT', inside, inside), '200 Connection Established\r\n\r\n');

async function tls(socket: Socket, protocol = 'http/1.1'): Promise<TLSSocket> {
  return tlsInside(socket, ca, { servername: 'localhost', ALPNProtocols: [protocol] });
}

/** One call in HTTP/1.1, in TLS: to its end, or begun. */
const asks =
  (path: string): Open =>
  async (socket) => {
    const opened = await tls(socket);
    if (path === '/hang') opened.write(head('GET', path, inside));
    else await askInside(opened, head('GET', path, inside));
  };

/** A stream to its end, or begun. */
async function streams(socket: Socket, path: string, scheme = 'https'): Promise<void> {
  const session = connectHttp2(`${scheme}://${inside}`, { createConnection: () => socket });
  session.on('error', () => undefined).on('goaway', () => (goodbyes += 1));
  const stream = session.request({ ':path': path, 'writ-grant': grant }); // prettier-ignore
  stream.on('error', () => undefined).resume();
  if (!path.endsWith('/hang')) await once(stream, 'end');
}

const both =
  (first: Open, then: Open): Open =>
  async (socket) => {
    await first(socket);
    await then(socket);
  };
const asksHttp2 =
  (path: string): Open =>
  async (socket) =>
    streams(await tls(socket, 'h2'), path);

/** One that makes room. */
const idlers: readonly (readonly [Port, string, Open])[] = [
  ['forward', 'a head that is not whole', says('GET http', '')],
  ['forward', 'HTTP/1.1 between calls', says(heads.forward('/a'))],
  ['forward', 'a tunnel that says nothing', tunnel],
  ['forward', 'a tunnel in its handshake', both(tunnel, says(Buffer.from('160301020001', 'hex'), ''))],
  ['forward', 'an opened tunnel without a call', both(tunnel, tls)],
  ['forward', 'an opened tunnel between calls', both(tunnel, asks('/a'))],
  ['forward', 'HTTP/2 in a tunnel between streams', both(tunnel, asksHttp2('/a'))],
  ['reverse', 'one that says nothing', says('', '')],
  ['reverse', 'HTTP/1.1 between calls', says(heads.reverse('/a'))],
  ['reverse', 'HTTP/2 between streams', (socket) => streams(socket, '/api/a', 'http')],
  ['transparent', 'one that says nothing', says('', '')],
  ['transparent', 'TLS without a call', tls],
  ['transparent', 'HTTP/1.1 in TLS between calls', asks('/a')],
  ['transparent', 'HTTP/2 in TLS between streams', asksHttp2('/a')],
  ['transparent', 'HTTP/1.1 in the clear between calls', says(heads.transparent('/a'))],
];

/** Whether one that comes now is served. */
function served(to: Port): Promise<boolean> {
  const asked = exchange(portOf(to), heads[to]('/new'));
  return asked.then(({ status }) => status === 200, () => false); // prettier-ignore
}

for (const [to, name, open] of idlers)
  t.test(`${to}: ${name} makes room`, async (t) => {
    const socket = await place(to, open);
    const gone = new Promise((resolve) => socket.once('close', resolve));
    while (!(await served(to))); // its call may not be over yet
    await gone;
    t.pass();
  });

t.test('HTTP/2 says goodbye, and nobody is suspected of distrust', (t) => {
  t.equal(goodbyes, 3);
  t.strictSame(said.filter(({ msg }) => /TLS|trust/.test(String(msg))), []); // prettier-ignore
  t.end();
});

const inPinned: Open = async (socket) => {
  await says(head('CONNECT', closed, closed), '\r\n\r\n')(socket);
  const opened = await tlsInside(socket, rootFile, { servername: '', host: '127.0.0.1' });
  opened.write(head('GET', '/hang', closed));
};

/** One that stays: its call is answered only afterwards. */
const callers: readonly (readonly [Port, string, Open])[] = [
  ['forward', 'HTTP/1.1', says(heads.forward('/hang'), '')],
  ['forward', 'HTTP/1.1 with another call behind it', says(heads.forward('/hang').repeat(2), '')],
  ['forward', 'HTTP/1.1 in a tunnel', both(tunnel, asks('/hang'))],
  ['forward', 'HTTP/2 in a tunnel', both(tunnel, asksHttp2('/hang'))],
  ['reverse', 'HTTP/1.1', says(heads.reverse('/hang'), '')],
  ['reverse', 'HTTP/2', (socket) => streams(socket, '/api/hang', 'http')],
  ['transparent', 'HTTP/1.1 in TLS', asks('/hang')],
  ['transparent', 'HTTP/2 in TLS', asksHttp2('/hang')],
];

for (const [to, name, open] of callers)
  t.test(`${to}: ${name} with a call under way stays`, async (t) => {
    const socket = await place(to, open);
    await hanging.pass(0);
    t.equal(await served(to), false, 'who comes is closed');
    t.equal(socket.destroyed, false);
    do {
      hanging.answerAll();
    } while (!(await served(to))); // once its calls are over it makes room as well
  });

/** One call from its handshake to its end, however quiet. */
const quiet: readonly (readonly [string, Open])[] = [
  ['a passthrough tunnel', inPinned],
  ['a WebSocket', says(handshakeBytes(webSocket.port, header), '\r\n\r\n')],
];

for (const [name, open] of quiet)
  t.test(`forward: ${name} stays`, async (t) => {
    const socket = await place('forward', open);
    t.equal(await served('forward'), false, 'who comes is closed');
    t.equal(socket.destroyed, false);
    socket.destroy();
  });
