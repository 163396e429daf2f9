/** Upstreams that ask who calls (mutual TLS): who is shown which certificate, and what happens without one. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createSecureServer } from 'node:http2';
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import type { TLSSocket } from 'node:tls';
import t from 'tap';
import type { Test } from 'tap';
import { unlessInstalled } from '../third-party/tool.ts';
import { makeKeyPair } from './key-pair.ts';
import type { KeyPair } from './key-pair.ts';
import { startTunnels } from './tunnels.ts';
import type { Tunnels } from './tunnels.ts';

const skip = unlessInstalled('openssl', 'version');
const vectors = fileURLToPath(new URL('../vectors/tls/', import.meta.url));

interface Asking {
  readonly port: number;
  readonly url: string;
  /** Common name of whoever connected, one for each connection. */
  readonly callers: readonly string[];
}

/** An origin on both protocols that asks for a certificate, and demands it unless told otherwise. */
async function startAsking(t: Test, ca: readonly string[], demands = true): Promise<Asking> {
  const callers: string[] = [];
  const origin = createSecureServer({
    key: readFileSync(`${vectors}leaf.key.pem`),
    cert: readFileSync(`${vectors}localhost.pem`),
    ...{ allowHTTP1: true, requestCert: true, rejectUnauthorized: demands, ca: [...ca] },
  });
  origin.on('secureConnection', (socket: TLSSocket) => {
    const { subject } = socket.getPeerCertificate();
    callers.push(subject ? String(subject.CN) : 'nobody'); // typed as always there, and is not
  });
  origin.on('tlsClientError', () => undefined);
  origin.on('request', (request: Http2ServerRequest, response: Http2ServerResponse) => {
    response.end(`HTTP/${request.httpVersion}`);
  });
  origin.listen(0, '127.0.0.1');
  await once(origin, 'listening');
  t.teardown(() => origin.close());
  const { port } = origin.address() as AddressInfo; // a TCP server that listens has one
  return { port, url: `https://localhost:${port}`, callers };
}

function start(t: Test, origin: Asking, upstream: object): Promise<Tunnels> {
  return startTunnels(t, { origins: [origin], settings: { upstream } });
}

/** One call by the reverse route. */
async function call({ sidecar, home }: Tunnels): Promise<{ status: number; body: string }> {
  const headers = { 'writ-grant': home.grant() };
  const reply = await fetch(new URL('/api/x', sidecar.urls.reverse), { headers });
  return { status: reply.status, body: await reply.text() };
}

const shown = (origin: Asking, { certificate_file, key_file }: KeyPair): object => ({
  client_certificates: [{ host: `localhost:${origin.port}`, certificate_file, key_file }],
});

t.test('the upstream that a certificate is for is shown it, on both protocols', { skip }, async (t) => {
  const pair = makeKeyPair(t.testdir(), 'writ');
  for (const http of ['h1', 'h2']) {
    const origin = await startAsking(t, [pair.certificate]);
    const tunnels = await start(t, origin, { http, ...shown(origin, pair) });
    t.strictSame(await call(tunnels), { status: 200, body: http === 'h1' ? 'HTTP/1.1' : 'HTTP/2.0' });
    t.strictSame(origin.callers, ['writ']);
  }
});

t.test('no other upstream learns of it', { skip }, async (t) => {
  const pair = makeKeyPair(t.testdir(), 'writ');
  const other = await startAsking(t, [pair.certificate], false);
  const tunnels = await start(t, other, shown({ ...other, port: 443 }, pair));
  t.match(await call(tunnels), { status: 200 });
  t.strictSame(other.callers, ['nobody']);
});

t.test('an upstream that demands another certificate is a failed one', { skip }, async (t) => {
  const folder = t.testdir();
  const [wanted, wrong] = [makeKeyPair(folder, 'wanted'), makeKeyPair(folder, 'wrong')];
  const rows: [http: string, pair: KeyPair | undefined][] = [
    ['h1', undefined],
    ['h2', wrong],
  ];
  for (const [http, pair] of rows) {
    const origin = await startAsking(t, [wanted.certificate]);
    const tunnels = await start(t, origin, { http, ...(pair && shown(origin, pair)) });
    const { status, body } = await call(tunnels);
    t.equal(status, 502, `${http} with ${pair ? 'a wrong one' : 'none'}`);
    t.match(body, /urn:writ:upstream:(tls_failed|connection_lost)/); // in TLS 1.3 a reset may overtake the alert
    const { seq } = await tunnels.home.entry(({ is }) => is['verdict'] === 'permit');
    t.match((await tunnels.home.outcome(seq)).is, { ended: 'upstream-error' });
    await tunnels.sidecar.stop();
    const told = tunnels.said.find(({ msg }) => msg === 'upstream failed');
    t.match(told, { why: /\S/ }, 'the operator is told why');
  }
});

t.test('a reload reads the files anew, and old connections are not used again', { skip }, async (t) => {
  const folder = t.testdir();
  const before = makeKeyPair(folder, 'before', 'client');
  const origin = await startAsking(t, [before.certificate], false);
  const tunnels = await start(t, origin, shown(origin, before));
  for (let i = 0; i < 2; i++) t.match(await call(tunnels), { status: 200 });
  t.strictSame(origin.callers, ['before'], 'two calls on one connection');
  makeKeyPair(folder, 'after', 'client');
  t.strictSame(await tunnels.sidecar.reload(), { ok: true });
  t.match(await call(tunnels), { status: 200 });
  t.strictSame(origin.callers, ['before', 'after']);
});

t.test('files that a reload cannot use leave the old ones in force', { skip }, async (t) => {
  const folder = t.testdir();
  const pair = makeKeyPair(folder, 'writ');
  const other = makeKeyPair(folder, 'other');
  const origin = await startAsking(t, [pair.certificate]);
  const tunnels = await start(t, origin, shown(origin, pair));
  const list = [{ host: 'x.test', certificate_file: pair.certificate_file, key_file: other.key_file }];
  tunnels.home.configure({ upstream: { client_certificates: list } });
  const { faults = [] } = { faults: [], ...(await tunnels.sidecar.reload()) };
  t.match(faults, [/^upstream\.client_certificates\.0: .*other\.key\.pem is not the key of .*writ\.pem$/]);
  t.match(await call(tunnels), { status: 200 });
});
