/** Whose upstream connection is used for whose call. */
import { once } from 'node:events';
import { createServer as createHttp2Server } from 'node:http2';
import type { AddressInfo, Socket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import t from 'tap';
import { openBlackHole } from '../../e2e/black-hole.ts';
import type { Protocol } from '../../../src/proxy/upstream/dial.ts';
import { Http1Transport } from '../../../src/proxy/upstream/http1-transport.ts';
import { TransportPool } from '../../../src/proxy/upstream/transport-pool.ts';
import { IdleConnections } from '../../../src/proxy/upstream/idle-connections.ts';
import { UPSTREAM_DEFAULTS } from '../../../src/proxy/upstream/upstream.ts';
import { clock, exchangeRaw, lastEnded, startRaw, startSidecar } from '../small-gate.ts';
import type { Plan, Teardown } from '../small-gate.ts';

const get = (port: number, path = '/'): string =>
  `GET http://127.0.0.1:${port}${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: close\r\n\r\n`;
const OK = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok';

/** An upstream that keeps its connections open, and numbers them. */
function counting(answer = OK): { talk: (socket: Socket) => void; opened: () => number } {
  let opened = 0;
  const talk = (socket: Socket): void => {
    opened += 1;
    socket.on('data', () => socket.write(answer));
  };
  return { talk, opened: () => opened };
}

t.test('an agent’s calls share a connection, and never with another agent', async (t) => {
  const origin = counting();
  const { port } = await startRaw(t, origin.talk);
  const agent: Plan['agent'] = ({ path }) => path;
  const sidecar = await startSidecar(t, { allow: [`127.0.0.1:${port}`], agent });
  for (let i = 0; i < 5; i++) t.match(await exchangeRaw(sidecar.port, get(port, '/first')), /ok$/);
  t.equal(origin.opened(), 1);
  for (let i = 0; i < 5; i++) t.match(await exchangeRaw(sidecar.port, get(port, '/second')), /ok$/);
  t.equal(origin.opened(), 2);
  t.equal(sidecar.upstream.idle, 2);
});

t.test('a connection to an address that is not vetted any more carries no further call', async (t) => {
  const origin = counting();
  const { port } = await startRaw(t, origin.talk);
  const answers = ['127.0.0.1', '127.0.0.3', '127.0.0.1'];
  const vet: Plan['vet'] = () => [{ address: answers.shift() ?? '', family: 4, port }];
  const sidecar = await startSidecar(t, { vet });
  t.match(await exchangeRaw(sidecar.port, get(port)), /ok$/);
  t.match(await exchangeRaw(sidecar.port, get(port)), /connect_failed/, 'where nobody listens');
  t.match(await exchangeRaw(sidecar.port, get(port)), /ok$/);
  t.equal(origin.opened(), 1, 'where it is vetted again it is used again');
});

t.test('an agent’s calls to two origins at one address have a connection each', async (t) => {
  const origins = [
    await startRaw(t, counting(OK).talk),
    await startRaw(t, counting(OK.replace(/ok$/, 'no')).talk),
  ];
  const sidecar = await startSidecar(t, { allow: origins.map(({ port }) => `127.0.0.1:${port}`) });
  for (const [i, word] of [...['ok', 'no'].entries(), ...['ok', 'no'].entries()])
    t.ok((await exchangeRaw(sidecar.port, get(origins[i]?.port ?? 0))).endsWith(word));
  t.equal(sidecar.upstream.idle, 2);
});

t.test('calls at the same time have a connection each', async (t) => {
  const origin = counting();
  const { port } = await startRaw(t, origin.talk);
  const sidecar = await startSidecar(t, { allow: [`127.0.0.1:${port}`] });
  const heard = await Promise.all(Array.from({ length: 20 }, () => exchangeRaw(sidecar.port, get(port))));
  t.ok(heard.every((text) => text.endsWith('ok')));
  t.equal(sidecar.upstream.idle, origin.opened());
});

t.test('idle connections are bounded, for each agent and in all', async (t) => {
  const origin = counting();
  const { port } = await startRaw(t, origin.talk);
  const agent: Plan['agent'] = ({ path }) => path;
  const settings = { maxIdle: 3, maxIdlePerKey: 2 };
  const sidecar = await startSidecar(t, { allow: [`127.0.0.1:${port}`], agent, settings });
  const calls = ['/a', '/a', '/a', '/a', '/b', '/b', '/b'].map((path) =>
    exchangeRaw(sidecar.port, get(port, path)),
  );
  await Promise.all(calls);
  await sidecar.finished(7);
  t.ok(sidecar.upstream.idle <= 3);
});

t.test(
  'an idle connection that the upstream closes leaves the pool, and the next call dials anew',
  async (t) => {
    const origin = counting();
    const { port, sockets } = await startRaw(t, origin.talk);
    const sidecar = await startSidecar(t, { allow: [`127.0.0.1:${port}`] });
    for (let i = 1; i <= 3; i++) {
      t.match(await exchangeRaw(sidecar.port, get(port)), /ok$/);
      t.equal(origin.opened(), i);
      const closing = [...sockets].map((socket) => once(socket.end(), 'close'));
      await Promise.all(closing);
    }
  },
);

t.test('a connection that dies under a written request is not retried', async (t) => {
  let requests = 0;
  const { port } = await startRaw(t, (socket) =>
    socket.on('data', () => {
      requests += 1;
      if (requests === 1) socket.write(OK);
      else socket.destroy();
    }),
  );
  const sidecar = await startSidecar(t, { allow: [`127.0.0.1:${port}`] });
  t.match(await exchangeRaw(sidecar.port, get(port)), /ok$/);
  t.match(await exchangeRaw(sidecar.port, get(port)), /^HTTP\/1.1 502 /);
  t.equal(requests, 2);
});

t.test('a refused address makes way for the next, and the outcome names the one that was used', async (t) => {
  const origin = counting();
  const { port } = await startRaw(t, origin.talk);
  const resolved = [
    { address: '127.0.0.3', family: 4, port },
    { address: '127.0.0.1', family: 4, port },
  ] as const;
  const sidecar = await startSidecar(t, { allow: [`127.0.0.1:${port}`], vet: () => resolved });
  t.match(await exchangeRaw(sidecar.port, get(port)), /ok$/);
  await sidecar.finished(1);
  t.equal(lastEnded(sidecar).dialled, `127.0.0.1:${port}`);
});

t.test('an address that never answers has its share of the time, and then the next is asked', async (t) => {
  const hole = await openBlackHole(t);
  const origin = counting();
  const { port } = await startRaw(t, origin.talk);
  const vet: Plan['vet'] = () => [
    { address: '127.0.0.1', family: 4, port: hole },
    { address: '127.0.0.1', family: 4, port },
  ];
  const sidecar = await startSidecar(t, { vet, settings: { connectMs: 1000 } });
  t.match(await exchangeRaw(sidecar.port, get(port)), /ok$/);
  await sidecar.finished(1);
  t.equal(lastEnded(sidecar).dialled, `127.0.0.1:${port}`);
});

/** One agent's calls to an upstream that answers `ok`, and what that upstream's connections are. */
async function startPool(t: Teardown) {
  const { port, sockets } = await startRaw(t, counting().talk);
  /** From the upstream, on all its connections; it is in our kernel before this returns. */
  const poison = (): void =>
    sockets.forEach((socket) => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\npoison'));
  return { ...startCalls(t, port, ['http/1.1']), poison };
}

/** One agent's calls to this port, each with one transport of a pool. */
function startCalls(t: Teardown, port: number, offer: readonly Protocol[]) {
  const transports = new TransportPool({ ...UPSTREAM_DEFAULTS, clock, maxHeadBytes: 16_384 });
  t.teardown(() => transports.close());
  const target = {
    ...{ tls: undefined, host: '127.0.0.1', origin: `http://127.0.0.1:${port}` },
    addresses: [{ address: '127.0.0.1', family: 4, port }],
  } as const;
  /** The body of the answer; `released` is called as soon as the transport was given back. */
  const call = (released: () => void = () => undefined): Promise<string> =>
    new Promise((resolve, reject) => {
      const transport = transports.take('agent', target, offer);
      let body = '';
      const request = { scheme: 'http', method: 'GET', target: '/', headers: [['host', 'a']] } as const;
      const rest = { body: undefined, length: undefined, trailers: () => [], headMs: 0, idleMs: 0 };
      transport.send(
        { ...request, ...rest },
        {
          permitted: () => true,
          begin: () => true,
          sent: () => undefined,
          head: () => undefined,
          data: (chunk) => (body += Buffer.from(chunk).toString('latin1')),
          ended: () => (transport.release(), released(), resolve(body)),
          failed: reject,
        },
      );
    });
  return { transports, call };
}

t.test('a reply too many right behind a response answers no call that begins in the same turn', async (t) => {
  const { transports, call, poison } = await startPool(t);
  const next = await new Promise<string>((resolve) => {
    void call(() => {
      poison();
      queueMicrotask(() => resolve(call()));
    });
  });
  t.equal(next, 'ok');
  while (transports.idle !== 1) await nextTurn(); // the poisoned connection is gone, the other one waits
});

t.test('nor does one on a connection that waits answer the next call', async (t) => {
  const { transports, call, poison } = await startPool(t);
  await call();
  while (transports.idle === 0) await nextTurn();
  poison();
  t.equal(await call(), 'ok');
});

t.test('a call whose HTTP/2 connection opens while all are closed has it, and dials no other', async (t) => {
  let opened = 0;
  const server = createHttp2Server((_request, response) => response.end('ok'));
  server.on('session', () => (opened += 1)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  const { port } = server.address() as AddressInfo; // it listens on TCP
  const { transports, call } = startCalls(t, port, ['h2']);
  const heard = call();
  transports.close();
  t.equal(await heard, 'ok');
  t.equal(opened, 1);
});

t.test('a transport that was given back without an open connection is not kept', async (t) => {
  const pool = new IdleConnections(UPSTREAM_DEFAULTS);
  const settings = { ...UPSTREAM_DEFAULTS, clock, maxHeadBytes: 16_384 };
  const target = { tls: undefined, host: 'a.test', origin: 'http://a.test', addresses: [] };
  new Http1Transport({ key: 'a', target, settings, rest: (transport) => pool.giveBack(transport) }).release();
  await nextTurn();
  t.equal(pool.size, 0);
});
