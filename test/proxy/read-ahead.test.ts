/** What is kept in memory of TLS for an agent that stands still: a record of what it is sent, one read of what follows. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import t from 'tap';
import { BUFFERED_BYTES } from '../../src/proxy/agent/connection-context.ts';
import { deny } from '../../src/denial/outcome.ts';
import { Http1Exchange } from '../../src/proxy/agent/http1-exchange.ts';
import {
  CertificateAuthority,
  makeCertificateAuthority,
} from '../../src/proxy/tunnel/certificate-authority.ts';
import { dial } from '../../src/proxy/upstream/dial.ts';
import type { Flow } from '../../src/proxy/upstream/request.ts';
import { Http1Transport } from '../../src/proxy/upstream/http1-transport.ts';
import { Interceptor } from '../../src/proxy/tunnel/intercept.ts';
import { tlsIdentities } from '../../src/proxy/upstream/tls-identity.ts';
import { UPSTREAM_DEFAULTS } from '../../src/proxy/upstream/upstream.ts';
import { pourFor } from '../leaks/bodies.ts';
import { clock, denial, RawAgent } from './small-gate.ts';
import type { Teardown } from './small-gate.ts';

const KIB = 1024;
/** Of TLS 1.3 (RFC 8446 §5.1). */
const RECORD = 16 * KIB;
/** What libuv reads at a time. */
const READ = 64 * KIB;
const STILL = 200;
const BODY = Buffer.alloc(64 * 1024 * KIB, 'x');
const pem = (name: string): string =>
  readFileSync(new URL(`../vectors/tls/${name}.pem`, import.meta.url), 'utf8');

/** Resolves once so many turns bring nothing further. */
async function stillness(count: () => number): Promise<void> {
  for (let still = 0, last = -1; still < STILL; last = count()) {
    await nextTurn();
    still = count() === last ? still + 1 : 0;
  }
}

async function portOf(t: Teardown, server: ReturnType<typeof createServer>): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  return (server.address() as AddressInfo).port; // a TCP server that listens has one
}

t.test('from an upstream, while its response is held', async (t) => {
  const server = createHttpsServer({ key: pem('leaf.key'), cert: pem('localhost') }, (_request, response) => {
    response.on('error', () => undefined);
    void pourFor(response); // in records of every size
  });
  const port = await portOf(t, server);
  const tls = tlsIdentities({ roots: [pem('root')] })({ host: 'localhost', port });
  const address = { address: '127.0.0.1', family: 4, port } as const;
  const target = { host: 'localhost', origin: `https://localhost:${port}`, addresses: [address], tls };
  const signal = new AbortController().signal;
  const wanted = { ...target, protocols: ['http/1.1'] as const, permitted: () => true, signal };
  const settings = { ...UPSTREAM_DEFAULTS, clock, maxHeadBytes: RECORD };
  const opened = await dial(wanted, settings);
  const transport = new Http1Transport({ key: '', target, settings, opened, rest: () => undefined });
  t.teardown(() => transport.destroy());
  const pieces: number[] = [];
  let block = 0;
  const flow = await new Promise<Flow>((resolve, reject) => {
    let flow: Flow;
    const request = {
      scheme: 'https',
      method: 'GET',
      target: '/',
      headers: [['host', 'localhost']],
    } as const;
    const rest = { body: undefined, length: undefined, trailers: () => [], headMs: 0, idleMs: 0 };
    transport.send({ ...request, ...rest }, {
      permitted: () => true,
      begin: (given) => ((flow = given), true),
      sent: () => undefined,
      head: () => undefined,
      data: (chunk) => {
        pieces.push(chunk.length);
        block = Math.max(block, chunk.buffer.byteLength);
        flow.pause();
        resolve(flow);
      },
      ended: () => undefined,
      failed: reject,
    }); // prettier-ignore
  });
  await stillness(() => opened.socket.bytesRead);
  for (let taken = 1; taken < 50; taken++) {
    const held = opened.socket.readableLength;
    if (held > RECORD + READ) t.fail(`${held / KIB} KiB were read ahead`);
    if (pieces.length !== taken) t.fail(`${pieces.length} pieces came where ${taken} were taken`);
    flow.resume();
    while (pieces.length === taken) await nextTurn();
    await stillness(() => opened.socket.bytesRead);
  }
  t.ok(Math.max(...pieces) <= RECORD, `at most ${Math.max(...pieces)} bytes came at a time`);
  t.ok(block <= RECORD, `and kept no more than ${block} in memory`);
});

t.test('from an agent, while its body has to wait', async (t) => {
  const body = BODY.subarray(0, 1024 * KIB);
  let go = (): void => undefined;
  let taken = 0;
  const keep = (piece: Uint8Array): Promise<undefined> => {
    taken += piece.length;
    return new Promise((resolve) => (go = () => resolve(undefined)));
  };
  const begun = Promise.withResolvers<{ request: IncomingMessage; exchange: Http1Exchange }>();
  const server = createHttpServer({ highWaterMark: BUFFERED_BYTES }, (request, response) => {
    const exchange = new Http1Exchange(request, response, { after: clock.after, agentMs: 0 });
    begun.resolve({ request, exchange });
    t.teardown(() => exchange.drop());
  });
  const agent = connect(await portOf(t, server), '127.0.0.1');
  t.teardown(() => agent.destroy());
  agent.write(`POST / HTTP/1.1\r\nHost: h\r\nContent-Length: ${body.length}\r\n\r\n`);
  agent.write(body);
  const { request, exchange } = await begun.promise;
  await stillness(() => request.socket.bytesRead);
  const read = exchange.readBody(keep);
  for (let last = 0; taken < body.length; go()) {
    while (taken === last) await nextTurn();
    last = taken;
    await stillness(() => request.socket.bytesRead);
    if (request.readableLength > 0) t.fail(`${request.readableLength / KIB} KiB were read ahead`);
    if (taken !== last) t.fail('a piece came before it was asked for');
  }
  t.match(await read, { ok: true });
});

t.test('an agent whose body had to wait is answered all the same', async (t) => {
  const stands = Promise.withResolvers<Http1Exchange>();
  const server = createHttpServer({ highWaterMark: BUFFERED_BYTES }, (request, response) => {
    const exchange = new Http1Exchange(request, response, { after: () => () => undefined, agentMs: 0 });
    const over = deny('content_timeout', 'as a body says that was let go of');
    let first = true;
    void exchange.readBody(() => {
      if (!first) return over;
      first = false;
      stands.resolve(exchange);
      return new Promise(() => undefined);
    });
  });
  const agent = new RawAgent(await portOf(t, server));
  agent.socket.write(`POST / HTTP/1.1\r\nHost: h\r\nContent-Length: ${512 * KIB}\r\n\r\n`);
  const sent = new Promise((resolve) => agent.socket.write(BODY.subarray(0, 512 * KIB), resolve));
  const exchange = await stands.promise;
  await nextTurn();
  exchange.refuse(denial('content_timeout'));
  await agent.closed();
  t.match(agent.heard, /^HTTP\/1\.1 403 .*urn:writ:denial:content_timeout.*\}$/s);
  t.notOk(await sent, 'the rest of it was taken');
});

t.test('to an agent that does not read', async (t) => {
  const authority = new CertificateAuthority(makeCertificateAuthority(Date.now()), () => Date.now());
  const interceptor = new Interceptor({
    ...{ authority, clock, handshakeMs: 10_000, maxHandshakes: 1 },
    ...{ plainAllowed: () => false, onFault: () => undefined },
  });
  const served = Promise.withResolvers<Duplex>();
  const serving = { http1: served.resolve, http2: served.resolve, isShed: () => false };
  const named = { host: 'localhost', context: { carrier: 'connect' } } as const;
  const server = createServer((socket: Socket) => {
    t.teardown(() => socket.destroy());
    interceptor.openTls(socket, named, serving).catch(served.reject);
  });
  const agent = connect(await portOf(t, server), '127.0.0.1');
  const tls = connectTls({ socket: agent, ca: authority.pem, servername: 'localhost' });
  t.teardown(() => tls.destroy());
  await once(tls, 'secureConnect');
  const socket = await served.promise;
  let written = 0;
  const pour = (): void => {
    do written += RECORD;
    while (socket.write(BODY.subarray(0, RECORD)));
  };
  socket.on('error', () => undefined).on('drain', pour);
  pour();
  await stillness(() => written);
  t.ok(written > RECORD, `${written / KIB} KiB were written`);
  t.ok(socket.writableLength <= RECORD, `${socket.writableLength / KIB} KiB wait in memory`);
});
