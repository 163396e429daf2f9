/** TLS that the sidecar opened is dear to keep: past `limits.max_idle_tls` one that carries nothing is closed. */
import { once } from 'node:events';
import { connect as connectHttp2 } from 'node:http2';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import t from 'tap';
import { HangingCalls, startOrigin } from './origin.ts';
import { startTlsOrigin } from './tls-origin.ts';
import { askInside, openTunnel, startTunnels, tlsInside } from './tunnels.ts';

const hanging = new HangingCalls();
const { answer } = hanging;

const plain = await startOrigin(t, answer);
const secure = await startTlsOrigin(t, answer);
const inside = `localhost:${secure.port}`;
const settings = { limits: { max_idle_tls: 2 } };
const { home, sidecar, ca, port, said } = await startTunnels(t, { origins: [plain, secure], settings });
const grant = home.grant();

function head(path: string, host = inside): string {
  return [`GET ${path} HTTP/1.1`, `Host: ${host}`, `Writ-Grant: ${grant}`, '', ''].join('\r\n');
}

/** How an agent comes to TLS with the sidecar. */
const ways = {
  forward: async () => (await openTunnel(port, inside, { grant })).socket,
  transparent: async () => {
    const socket = connect(Number(new URL(sidecar.urls.transparent ?? '').port), '127.0.0.1');
    await once(socket, 'connect');
    return socket.on('error', () => undefined);
  },
} satisfies Readonly<Record<string, () => Promise<Socket>>>;
type Way = keyof typeof ways;

async function opens(way: Way, protocol = 'http/1.1'): Promise<TLSSocket> {
  const tls = await tlsInside(await ways[way](), ca, { servername: 'localhost', ALPNProtocols: [protocol] });
  return tls.on('end', () => tls.destroy());
}

async function asks(tls: TLSSocket): Promise<void> {
  if ((await askInside(tls, head('/a'))).status !== 200) throw new Error('refused');
}

async function hangs(tls: TLSSocket): Promise<void> {
  const before = hanging.count;
  tls.write(head('/hang'));
  await hanging.pass(before);
}

const closing = (tls: TLSSocket): Promise<unknown> => new Promise((resolve) => tls.once('close', resolve));

for (const way of ['forward', 'transparent'] as const) {
  t.test(`${way}: the one without a call for longest is closed`, async (t) => {
    const [first, second] = [await opens(way), await opens(way)];
    await asks(first);
    const third = await opens(way);
    await closing(second);
    const closed = closing(first);
    await asks(third); // while it has a call it is none of them
    const last = await opens(way);
    await closed;
    await asks(third);
    await asks(last);
    t.notOk(third.closed || last.closed);
    for (const tls of [third, last]) tls.destroy();
  });

  t.test(`${way}: one with a call under way stays, and does not count`, async (t) => {
    const busy = [await opens(way), await opens(way), await opens(way)];
    for (const tls of busy) await hangs(tls);
    const idle = [await opens(way), await opens(way)];
    const last = await opens(way);
    await closing(idle[0] ?? last);
    t.notOk([...busy, last].some(({ closed }) => closed));
    const heard = Promise.all(busy.map((tls) => once(tls, 'data')));
    hanging.answerAll();
    for (const [bytes] of await heard) t.match(String(bytes), / 200 OK/);
    for (const tls of [...busy, ...idle, last]) tls.destroy();
  });
}

t.test('HTTP/2 without a stream is one of them, and hears that it ends', async (t) => {
  const socket = await opens('forward', 'h2');
  const session = connectHttp2(`https://${inside}`, { createConnection: () => socket });
  const goodbye = once(session, 'goaway');
  const stream = session.request({ ':path': '/a', 'writ-grant': grant });
  await once(stream.resume(), 'end');
  const others = [await opens('forward'), await opens('forward')];
  for (const tls of others) await asks(tls);
  await goodbye;
  t.notOk(others.some(({ closed }) => closed));
  for (const tls of others) tls.destroy();
});

t.test('in the clear there may be as many as there are connections', async (t) => {
  const sockets = [1, 2, 3, 4].map(() => connect(port, '127.0.0.1'));
  const ask = head(`${plain.url}/a`, `127.0.0.1:${plain.port}`);
  for (let round = 0; round < 2; round++)
    for (const socket of sockets) {
      socket.write(ask);
      t.match(String((await once(socket, 'data'))[0]), / 200 OK/);
    }
  for (const socket of sockets) socket.destroy();
});

t.test('nobody is suspected of distrust for it', (t) => {
  t.strictSame(said.filter(({ msg }) => /TLS|trust/.test(String(msg))), []); // prettier-ignore
  t.end();
});
