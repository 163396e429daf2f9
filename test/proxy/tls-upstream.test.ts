/** HTTPS upstreams of reverse routes: real verification, nothing less. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import type { TlsOptions } from 'node:tls';
import t from 'tap';
import { tlsIdentities } from '../../src/proxy/upstream/tls-identity.ts';
import { exchangeRaw, lastEnded, RawAgent, startRaw, startSidecar } from './small-gate.ts';
import type { Teardown } from './small-gate.ts';

const pem = (name: string): string =>
  readFileSync(new URL(`../vectors/tls/${name}.pem`, import.meta.url), 'utf8');
const identity = tlsIdentities({ roots: [pem('root')] });
const key = pem('leaf.key');
const GET = 'GET /x HTTP/1.1\r\nHost: sidecar\r\nConnection: close\r\n\r\n';

async function startHttps(t: Teardown, options: TlsOptions): Promise<{ port: number; names: unknown[] }> {
  const names: unknown[] = [];
  const server = createHttpsServer({ key, ...options }, (_request, response) => response.end('over TLS'));
  server.on('secureConnection', (socket) => names.push(socket.servername));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => (server.close(), server.closeAllConnections()));
  return { port: (server.address() as AddressInfo).port, names }; // a TCP server that listens has one
}

t.test('a name is verified and sent as SNI, an address is verified and not', async (t) => {
  const { port, names } = await startHttps(t, { cert: pem('localhost') });
  for (const host of ['localhost', '127.0.0.1']) {
    const routes = [{ upstream: `https://${host}:${port}` }];
    const sidecar = await startSidecar(t, { carrier: 'reverse', routes, settings: { identity } });
    t.match(await exchangeRaw(sidecar.port, GET), /^HTTP\/1.1 200 .*over TLS/s, host);
    await sidecar.finished(1);
    t.equal(lastEnded(sidecar).dialled, `127.0.0.1:${port}`);
  }
  t.same(names, ['localhost', false]);
});

const bad: readonly [string, string, TlsOptions, boolean][] = [
  ['an unknown root', 'localhost', { cert: pem('localhost') }, false],
  ['another name', 'localhost', { cert: pem('other') }, true],
  ['a common name only', 'localhost', { cert: pem('nameless') }, true],
  ['a common name beside an address', 'localhost', { cert: pem('address-only') }, true],
  ['another address', '127.0.0.1', { cert: pem('address-only') }, true],
  ['an expired certificate', 'localhost', { cert: pem('expired') }, true],
  [
    'TLS 1.1',
    'localhost',
    { cert: pem('localhost'), minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' },
    true,
  ],
  ['HTTP/2 only', 'localhost', { cert: pem('localhost'), ALPNProtocols: ['h2'] }, true],
];

t.test('an upstream that cannot be verified gets no byte of the request', async (t) => {
  for (const [name, host, options, trusted] of bad) {
    const { port, names } = await startHttps(t, options);
    const routes = [{ upstream: `https://${host}:${port}` }];
    const settings = trusted ? { identity } : {};
    const sidecar = await startSidecar(t, { carrier: 'reverse', routes, settings });
    t.match(await exchangeRaw(sidecar.port, GET), /^HTTP\/1.1 502 .*urn:writ:upstream:tls_failed/s, name);
    await sidecar.finished(1);
    t.match(lastEnded(sidecar), { ended: 'upstream-error', answered: true }, name);
    t.ok(names.length <= 1, name);
  }
});

t.test('a port that speaks no TLS, or nothing, is a failed upstream', async (t) => {
  const plain = await startRaw(t, (socket) => socket.resume().write('220 ready\r\n'));
  const silent = await startRaw(t, (socket) => socket.resume());
  for (const [{ port }, status, failure] of [
    [plain, 502, 'tls_failed'],
    [silent, 504, 'connect_timeout'],
  ] as const) {
    const routes = [{ upstream: `https://127.0.0.1:${port}` }];
    const sidecar = await startSidecar(t, {
      carrier: 'reverse',
      routes,
      settings: { identity, connectMs: 200 },
    });
    const heard = await exchangeRaw(sidecar.port, GET);
    t.match(heard, new RegExp(`^HTTP/1.1 ${status} .*urn:writ:upstream:${failure}`, 's'));
  }
  while (plain.sockets.size + silent.sockets.size > 0) await new Promise(setImmediate);
});

t.test('an agent that goes away stops a handshake', async (t) => {
  const { port, sockets } = await startRaw(t, (socket) => socket.resume());
  const routes = [{ upstream: `https://127.0.0.1:${port}` }];
  const sidecar = await startSidecar(t, { carrier: 'reverse', routes, settings: { identity } });
  const agent = new RawAgent(sidecar.port);
  agent.socket.write(GET);
  while (sockets.size === 0) await new Promise(setImmediate);
  agent.socket.destroy();
  await sidecar.finished(1);
  while (sockets.size > 0) await new Promise(setImmediate);
  t.match(lastEnded(sidecar), { ended: 'client-abort', answered: false });
});

t.test('no session is resumed', async (t) => {
  const resumed: boolean[] = [];
  const server = createTlsServer({ key, cert: pem('localhost') }, (socket) => {
    resumed.push(socket.isSessionReused());
    socket.once('data', () =>
      socket.end('HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n'),
    );
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  const { port } = server.address() as AddressInfo; // a TCP server that listens has one
  const routes = [{ upstream: `https://localhost:${port}` }];
  const sidecar = await startSidecar(t, { carrier: 'reverse', routes, settings: { identity } });
  for (let i = 0; i < 3; i++) t.match(await exchangeRaw(sidecar.port, GET), /^HTTP\/1.1 200 /);
  t.same(resumed, [false, false, false]);
});
