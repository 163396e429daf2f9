/** A proxy before the upstreams: what it is asked, what it learns, and what happens when it refuses. */
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { createSecureServer } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import type { Test } from 'tap';
import { startConnectProxy } from './connect-proxy.ts';
import type { ConnectProxy, Manner } from './connect-proxy.ts';
import { startOrigin } from './origin.ts';
import { rootFile, startTlsOrigin } from './tls-origin.ts';
import { askInside, openTunnel, startTunnels, tlsInside } from './tunnels.ts';
import type { Tunnels } from './tunnels.ts';

interface Place {
  readonly port: number;
  readonly url: string;
}

function start(t: Test, origin: Place, proxy: ConnectProxy, upstream: object = {}): Promise<Tunnels> {
  return startTunnels(t, { origins: [origin], settings: { upstream: { proxy: proxy.url, ...upstream } } });
}

/** One call by the reverse route. */
async function call({ sidecar, home }: Tunnels): Promise<{ status: number; body: string }> {
  const headers = { 'writ-grant': home.grant() };
  const reply = await fetch(new URL('/api/x', sidecar.urls.reverse), { headers });
  return { status: reply.status, body: await reply.text() };
}

t.test(
  'it is asked for the vetted address, for https and http alike, and its answer stays its own',
  async (t) => {
    for (const origin of [await startTlsOrigin(t), await startOrigin(t)]) {
      const proxy = await startConnectProxy(t);
      const tunnels = await start(t, origin, proxy);
      for (let i = 0; i < 2; i++) t.equal((await call(tunnels)).status, 200, origin.url);
      const target = `127.0.0.1:${origin.port}`;
      t.strictSame(
        proxy.asked,
        [{ target, credentials: undefined }],
        'once, and then the connection is kept',
      );
      const { seq, is } = await tunnels.home.entry(({ is }) => is['verdict'] === 'permit');
      t.strictSame(is['addresses'], [target]);
      t.match((await tunnels.home.outcome(seq)).is, { ended: 'complete', dialled: target });
    }
  },
);

t.test('hosts that are excepted are reached without it', async (t) => {
  const origin = await startTlsOrigin(t);
  for (const proxy_except of [['localhost'], ['other.test', 'localhost']]) {
    const proxy = await startConnectProxy(t);
    t.equal((await call(await start(t, origin, proxy, { proxy_except }))).status, 200);
    t.strictSame(proxy.asked, []);
  }
});

t.test('it is told its credentials, and nobody else is; a reload reads them anew', async (t) => {
  const file = join(t.testdir(), 'credentials');
  writeFileSync(file, 'writ:first\n');
  const proxy = await startConnectProxy(t);
  const seen: string[] = [];
  const origin = await startOrigin(t, (request, response) => {
    seen.push(JSON.stringify(request.headers));
    response.writeHead(200, { connection: 'close' }).end();
  });
  const tunnels = await start(t, origin, proxy, { proxy_credentials_file: file });
  t.equal((await call(tunnels)).status, 200);
  writeFileSync(file, 'writ:second\n');
  t.strictSame(await tunnels.sidecar.reload(), { ok: true });
  t.equal((await call(tunnels)).status, 200);
  const basic = (text: string): string => `Basic ${Buffer.from(text).toString('base64')}`;
  t.strictSame(
    proxy.asked.map(({ credentials }) => credentials),
    [basic('writ:first'), basic('writ:second')],
  );
  const said = JSON.stringify([tunnels.said, seen, tunnels.home.entries()]);
  for (const secret of ['first', 'second', basic('writ:first'), basic('writ:second')])
    t.notOk(said.includes(secret), secret);
});

const flood = `x: ${'y'.repeat(1000)}\r\n`.repeat(20);
const refusals: readonly [name: string, manner: Manner, status: number, failure: string][] = [
  ['403', say('HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\nno'), 502, 'proxy_failed'],
  ['407', say('HTTP/1.1 407 Who\r\nproxy-authenticate: Basic\r\n\r\n'), 502, 'proxy_failed'],
  ['a redirect', say('HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\n\r\n'), 502, 'proxy_failed'],
  ['no HTTP', say('SSH-2.0-x\r\n'), 502, 'proxy_failed'],
  ['20 KB of head', say(`HTTP/1.1 200 OK\r\n${flood}\r\n`), 502, 'proxy_failed'],
  ['nothing, and the end', (socket) => (socket.end(), 'told'), 502, 'proxy_failed'],
  ['a reset', (socket) => (socket.resetAndDestroy(), 'told'), 502, 'proxy_failed'],
  ['silence', () => 'told', 504, 'connect_timeout'],
  ['a 200, and then an answer of its own', say('HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\n\r\nforged'), 502, 'tls_failed'],
]; // prettier-ignore

function say(text: string): Manner {
  return (socket) => (socket.write(text), 'told');
}

t.test('a proxy that does not open the way is a failed upstream, with an outcome', async (t) => {
  const origin = await startTlsOrigin(t);
  let manner: Manner = () => 'opens';
  const proxy = await startConnectProxy(t, (socket, request) => manner(socket, request));
  const tunnels = await start(t, origin, proxy, { connect_timeout_ms: 300 });
  for (const [name, given, status, failure] of refusals) {
    manner = given;
    const reply = await call(tunnels);
    t.equal(reply.status, status, name);
    t.match(reply.body, `urn:writ:upstream:${failure}`, name);
    const permit = tunnels.home.entries().findLast(({ is }) => is['verdict'] === 'permit');
    t.match((await tunnels.home.outcome(permit?.seq ?? -1)).is, { ended: 'upstream-error' }, name);
    while (proxy.open.size > 0) await new Promise(setImmediate);
  }
  t.strictSame(origin.seen, []);
  t.strictSame(origin.names, [], 'the upstream heard nothing');
  manner = () => 'opens';
  t.equal((await call(tunnels)).status, 200, 'and once it does');
});

t.test('a proxy that is not there is a failed upstream', async (t) => {
  const origin = await startTlsOrigin(t);
  const proxy = await startConnectProxy(t);
  const gone = await start(t, origin, { ...proxy, url: 'http://127.0.0.1:1' });
  t.match(await call(gone), { status: 502, body: /connect_failed/ });
  const nameless = await start(t, origin, { ...proxy, url: 'http://proxy.invalid:3128' });
  t.match(await call(nameless), { status: 502, body: /proxy_failed/ });
});

t.test('HTTP/2, and a tunnel that stays closed, go through it as well', async (t) => {
  const origin = await startHttp2Origin(t);
  const proxy = await startConnectProxy(t);
  const authority = `localhost:${origin.port}`;
  const settings = { upstream: { proxy: proxy.url, http: 'h2' }, tls: { passthrough: [authority] } };
  const tunnels = await startTunnels(t, { origins: [origin], settings });
  t.strictSame(await call(tunnels), { status: 200, body: 'HTTP/2.0' });
  const grant = tunnels.home.grant({ entry: { actions: ['CONNECT'] } });
  const { socket, reply } = await openTunnel(tunnels.port, authority, { grant });
  t.equal(reply.status, 200);
  const tls = await tlsInside(socket, rootFile, { servername: 'localhost' });
  t.match(await askInside(tls, `GET /x HTTP/1.1\r\nHost: ${authority}\r\n\r\n`), { status: 200 });
  tls.destroy();
  const target = `127.0.0.1:${origin.port}`;
  t.strictSame(
    proxy.asked.map((asked) => asked.target),
    [target, target],
  );
});

async function startHttp2Origin(t: Test): Promise<Place> {
  const key = readFileSync(new URL('../vectors/tls/leaf.key.pem', import.meta.url));
  const cert = readFileSync(new URL('../vectors/tls/localhost.pem', import.meta.url));
  const server = createSecureServer({ key, cert, allowHTTP1: true }, (request, response) => {
    response.end(`HTTP/${request.httpVersion}`);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  const { port } = server.address() as AddressInfo; // a TCP server that listens has one
  return { port, url: `https://localhost:${port}` };
}
