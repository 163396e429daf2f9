/** Upstreams over TLS that are asked by ALPN what they speak, and what becomes of shared connections. */
import { readFileSync } from 'node:fs';
import { once } from 'node:events';
import { createSecureServer } from 'node:http2';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import t from 'tap';
import { tlsIdentities } from '../../src/proxy/upstream/tls-identity.ts';
import { call, fields, startAgent } from './http2-client.ts';
import { exchangeRaw, lastEnded, startSidecar } from './small-gate.ts';
import type { Plan, Teardown } from './small-gate.ts';

const pem = (name: string): string =>
  readFileSync(new URL(`../vectors/tls/${name}.pem`, import.meta.url), 'utf8');

/** An origin, with HTTP/2 beside HTTP/1.1 or without, that says what it was spoken to with, and counts its connections. */
async function startSecure(t: Teardown, speaks: 'h2' | 'h1') {
  let opened = 0;
  const open = new Set<{ destroy(): void }>();
  const identity = { key: pem('leaf.key'), cert: pem('localhost') };
  const server =
    speaks === 'h2' ? createSecureServer({ ...identity, allowHTTP1: true }) : createServer(identity);
  server.on('secureConnection', (socket) => ((opened += 1), open.add(socket)));
  server.on('request', (request, response) => {
    request.resume().on('end', () => response.end(`HTTP/${request.httpVersion}`));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.close();
    for (const socket of open) socket.destroy();
  });
  return { port: (server.address() as AddressInfo).port, opened: () => opened, open }; // it listens on TCP
}

function startBefore(t: Teardown, port: number, plan: Plan = {}) {
  const routes = [{ upstream: `https://localhost:${port}` }];
  return startSidecar(t, {
    carrier: 'reverse',
    routes,
    ...plan,
    settings: { identity: tlsIdentities({ roots: [pem('root')] }), ...plan.settings },
  });
}

const calls = (agent: Parameters<typeof call>[0], count: number) =>
  Promise.all(Array.from({ length: count }, () => call(agent, fields('POST', '/'), 'body')));

t.test('calls that begin together share the connection on which HTTP/2 was agreed', async (t) => {
  const origin = await startSecure(t, 'h2');
  const sidecar = await startBefore(t, origin.port);
  const heard = await calls(startAgent(t, sidecar.http2Port), 50);
  t.ok(heard.every(({ status, body }) => status === 200 && body === 'HTTP/2.0'));
  t.equal(origin.opened(), 1);
  await sidecar.finished(50);
  t.equal(lastEnded(sidecar).dialled, `127.0.0.1:${origin.port}`);
});

t.test('where HTTP/1.1 was agreed each call has a connection, and they are kept', async (t) => {
  const origin = await startSecure(t, 'h1');
  const sidecar = await startBefore(t, origin.port);
  const agent = startAgent(t, sidecar.http2Port);
  const heard = await calls(agent, 20);
  t.ok(heard.every(({ status, body }) => status === 200 && body === 'HTTP/1.1'));
  await sidecar.finished(20);
  const opened = origin.opened();
  t.equal(opened, sidecar.upstream.idle);
  for (let i = 0; i < 5; i++) t.match(await call(agent, fields('GET', '/')), { body: 'HTTP/1.1' });
  t.equal(origin.opened(), opened);
});

t.test('an agent on HTTP/1.1 is given HTTP/1.1, unless the operator says h2', async (t) => {
  const origin = await startSecure(t, 'h2');
  const get = 'GET / HTTP/1.1\r\nHost: sidecar\r\nConnection: close\r\n\r\n';
  for (const [choice, version] of [
    ['auto', '1.1'],
    ['h1', '1.1'],
    ['h2', '2.0'],
  ] as const) {
    const sidecar = await startBefore(t, origin.port, { settings: { choose: () => choice } });
    t.match(
      await exchangeRaw(sidecar.port, get),
      new RegExp(`HTTP/${version}\r\n0\r\n\r\n$|HTTP/${version}$`),
    );
  }
});

t.test('an upstream that does not speak what it must is a failed one', async (t) => {
  const origin = await startSecure(t, 'h1');
  const sidecar = await startBefore(t, origin.port, { settings: { choose: () => 'h2' } });
  t.match(await call(startAgent(t, sidecar.http2Port), fields('GET', '/')), {
    status: 502,
    body: /tls_failed/,
  });
  t.equal(sidecar.upstream.idle, 0);
});

t.test(
  'an upstream that agrees on nothing is not spoken to with HTTP/1.1 where it must be HTTP/2',
  async (t) => {
    const heard: string[] = [];
    const server = createTlsServer({ key: pem('leaf.key'), cert: pem('localhost') }, (socket) =>
      socket.on('error', () => undefined).on('data', (data: Buffer) => heard.push(data.toString('latin1'))),
    );
    await once(server.listen(0, '127.0.0.1'), 'listening');
    t.teardown(() => server.close());
    const { port } = server.address() as AddressInfo; // it listens on TCP
    const sidecar = await startBefore(t, port, { settings: { choose: () => 'h2' } });
    const reply = await call(startAgent(t, sidecar.http2Port), fields('GET', '/'));
    t.match(reply, { status: 502, body: /tls_failed/ });
    t.strictSame(heard, [], 'not a byte of the request');
  },
);

t.test('agents never share a connection, and none is used after the upstream closed it', async (t) => {
  const origin = await startSecure(t, 'h2');
  const sidecar = await startBefore(t, origin.port, { agent: ({ path }) => path });
  const agent = startAgent(t, sidecar.http2Port);
  for (const path of ['/a', '/b', '/a', '/b'])
    t.match(await call(agent, fields('GET', path)), { status: 200 });
  t.equal(origin.opened(), 2);
  for (const socket of origin.open) socket.destroy();
  while (sidecar.upstream.idle > 0) await new Promise(setImmediate);
  t.match(await call(agent, fields('GET', '/a')), { status: 200 });
  t.equal(origin.opened(), 3);
});

t.test('one call too many of an agent is 503', async (t) => {
  const origin = await startSecure(t, 'h2');
  const sidecar = await startBefore(t, origin.port, { settings: { maxCalls: 1 } });
  const heard = await calls(startAgent(t, sidecar.http2Port), 5);
  t.ok(heard.some(({ status, body }) => status === 503 && body.includes('upstream_busy')));
  t.ok(heard.some(({ status }) => status === 200));
});

t.test('one that a fault of ours ends gives its place back', async (t) => {
  const origin = await startSecure(t, 'h1');
  const faults = [new Error('a fault')];
  const choose = (): 'auto' => {
    for (const fault of faults.splice(0)) throw fault;
    return 'auto';
  };
  const sidecar = await startBefore(t, origin.port, { settings: { choose, maxCalls: 1 } });
  const get = 'GET / HTTP/1.1\r\nHost: sidecar\r\nConnection: close\r\n\r\n';
  t.match(await exchangeRaw(sidecar.port, get), /^HTTP\/1.1 403 [^]*code=internal_error/);
  t.match(await exchangeRaw(sidecar.port, get), /^HTTP\/1.1 200 /);
});
