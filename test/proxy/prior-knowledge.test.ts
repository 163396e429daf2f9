/** HTTP/2 with prior knowledge on the reverse port: told from HTTP/1 by its first bytes, however they come. */
import { once } from 'node:events';
import t from 'tap';
import type { Clock } from '../../src/gate/outside.ts';
import { Listener } from '../../src/proxy/agent/listener.ts';
import { call, fields, hear, startAgent } from './http2-client.ts';
import { block, END_HEADERS, END_STREAM, frame, FrameAgent, GET, TYPE } from './http2-frames.ts';
import { exchangeRaw, RawAgent, startOrigin, startRaw, startSidecar } from './small-gate.ts';
import type { Plan, Teardown } from './small-gate.ts';

/** RFC 9113 §7. */
const CANCEL = 8;
const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';
const ASK = frame(TYPE.HEADERS, END_HEADERS | END_STREAM, { stream: 1, payload: block(...GET) });
const OPENING = Buffer.concat([Buffer.from(PREFACE), frame(TYPE.SETTINGS, 0), ASK]);
const HTTP1 = 'GET / HTTP/1.1\r\nHost: sidecar\r\nConnection: close\r\n\r\n';

const refuse = () => 'policy_denied' as const;

function startReverse(t: Teardown, plan: Plan = {}) {
  return startSidecar(t, { carrier: 'reverse', routes: [{ upstream: 'http://127.0.0.1:1' }], ...plan });
}

/** Writes octet by octet, each in a segment of its own. */
async function crumble({ socket }: RawAgent, bytes: Uint8Array): Promise<void> {
  socket.setNoDelay();
  for (const octet of bytes) {
    await new Promise((written) => socket.write(Uint8Array.of(octet), written));
    await new Promise(setImmediate);
  }
}

t.test('its streams are routed by path or host, beside HTTP/1.1 on other connections', async (t) => {
  const seen: string[] = [];
  const port = await startOrigin(t, ({ url, headers }, response) => {
    seen.push(`${headers.host} ${url}`);
    response.end('ok');
  });
  const upstream = `http://127.0.0.1:${port}`;
  const sidecar = await startReverse(t, {
    routes: [
      { prefix: '/api', upstream },
      { host: 'named.test', upstream },
    ],
  });
  const agent = startAgent(t, sidecar.port);
  const named = [...fields('GET', '/b')].with(5, 'named.test');
  for (const request of [fields('GET', '/api/a'), named])
    t.match(await call(agent, request), { status: 200, body: 'ok' });
  t.match(await call(agent, fields('GET', '/c')), { status: 403, body: /route_unknown/ });
  t.match(await exchangeRaw(sidecar.port, HTTP1.replace('/', '/api/d')), /^HTTP\/1\.1 200 /);
  t.strictSame(
    seen,
    ['/a', '/b', '/d'].map((path) => `127.0.0.1:${port} ${path}`),
  );
  t.ok(sidecar.calls.every(({ carrier }) => carrier === 'reverse'));
});

t.test('a preface in crumbs is one, and HTTP/1 in crumbs is none', async (t) => {
  const sidecar = await startReverse(t, { decide: refuse });
  const slow = new RawAgent(sidecar.port);
  await crumble(slow, OPENING);
  await slow.hears('"code":"policy_denied"');
  t.equal(slow.heard.charCodeAt(3), TYPE.SETTINGS, 'frames');
  slow.socket.destroy();
  const post = new RawAgent(sidecar.port);
  await crumble(post, Buffer.from(HTTP1.replace('GET', 'PROPFIND')));
  await post.closed();
  t.match(post.heard, /^HTTP\/1\.1 403 .*policy_denied/s);
});

t.test('what only begins like a preface is HTTP/1’s to refuse', async (t) => {
  const sidecar = await startReverse(t, { decide: refuse });
  const second = 'GET / HTTP/1.1\r\nHost: sidecar\r\n\r\n';
  for (const [name, bytes, heard] of [
    ['half of one', `${PREFACE.slice(0, 18)}GET / HTTP/1.1\r\n\r\n`, /^HTTP\/1\.1 400 /],
    ['its last byte is wrong', `${PREFACE.slice(0, -1)}\t`, /^HTTP\/1\.1 400 /],
    ['in lower case', PREFACE.toLowerCase(), /^HTTP\/1\.1 400 /],
    ['behind an empty line', `\r\n${PREFACE}`, /^HTTP\/1\.1 400 /],
    ['behind a request', `${second}${PREFACE}`, /^HTTP\/1\.1 403 /],
  ] as const)
    t.match(await exchangeRaw(sidecar.port, bytes), heard, name);
  t.equal(sidecar.calls.length, 1);
  t.ok(sidecar.malformed.every(({ status }) => status === 400));
  t.equal(sidecar.malformed.length, 5);
});

t.test('the forward port does not speak it', async (t) => {
  const sidecar = await startReverse(t, { carrier: 'forward', decide: refuse });
  t.match(await exchangeRaw(sidecar.port, OPENING), /^HTTP\/1\.1 400 /);
  t.match(sidecar.malformed, [{ status: 400 }]);
  t.equal(sidecar.calls.length, 0);
});

/** A clock whose alarms ring when the test says so. */
class HandClock implements Clock {
  readonly alarms = new Set<() => void>();
  readonly wall = (): number => 0;
  readonly monotonic = (): number => 0;
  readonly after = (_ms: number, then: () => void): (() => void) => {
    this.alarms.add(then);
    return () => void this.alarms.delete(then);
  };

  /** Resolves once so many are set. */
  async has(count: number): Promise<void> {
    while (this.alarms.size !== count) await new Promise(setImmediate);
  }
}

/** A reverse port whose clock is the test's. */
async function startTimed(t: Teardown) {
  const clock = new HandClock();
  const malformed: unknown[] = [];
  const parts = { maxConnections: 9, maxIdleTls: 9, maxStreams: 9, headMs: 10_000, keepAliveMs: 10_000 };
  const gate = { run: () => Promise.resolve() };
  const onMalformed = (event: unknown): unknown => malformed.push(event);
  const listener = new Listener({ carrier: 'reverse', gate, clock, ...parts, onMalformed });
  t.teardown(() => listener.stop());
  const { port } = await listener.listen(0, '127.0.0.1');
  return { clock, malformed, agent: new RawAgent(port) };
}

t.test('what a head has of time begins with the connection, not behind its first bytes', async (t) => {
  for (const [name, bytes, looking] of [
    ['nothing', '', true],
    ['half a preface', PREFACE.slice(0, 20), true],
    ['half a head', HTTP1.slice(0, 20), false],
  ] as const) {
    const { clock, malformed, agent } = await startTimed(t);
    agent.socket.write(bytes);
    await clock.has(looking ? 2 : 1);
    for (const ring of clock.alarms) ring();
    await agent.closed();
    t.match(agent.heard, /^HTTP\/1\.1 408 /, name);
    t.match(malformed, [{ carrier: 'reverse', status: 408, why: 'ERR_HTTP_REQUEST_TIMEOUT' }], name);
  }
});

t.test('who sent a preface has its time for a request, and hears no HTTP/1', async (t) => {
  const { clock, malformed, agent } = await startTimed(t);
  agent.socket.write(PREFACE);
  await once(agent.socket, 'data');
  for (const ring of clock.alarms) ring();
  await agent.closed();
  t.equal(agent.heard.charCodeAt(3), TYPE.SETTINGS);
  t.notMatch(agent.heard, /HTTP/);
  t.strictSame(malformed, []);
});

t.test('a head that came stops the clock', async (t) => {
  const sidecar = await startReverse(t, { decide: refuse, headMs: 50 });
  const agents = [new FrameAgent(sidecar.port), new RawAgent(sidecar.port)];
  for (const { socket } of agents)
    socket.write(socket === agents[0]?.socket ? ASK : HTTP1.replace('close', 'x'));
  await Promise.all(agents.map(({ socket }) => once(socket, 'data')));
  await exchangeRaw(sidecar.port, 'GET'); // 408, later than theirs would be
  t.ok(agents.every(({ socket }) => !socket.destroyed));
  t.equal(sidecar.malformed.length, 1);
  for (const { socket } of agents) socket.destroy();
});

t.test('who sent a preface and nothing more makes room like anybody silent', async (t) => {
  const sidecar = await startReverse(t, { decide: refuse, maxConnections: 2 });
  const known = startAgent(t, sidecar.port);
  t.match(await call(known, fields('GET', '/')), { status: 403 });
  const silent = new FrameAgent(sidecar.port);
  await once(silent.socket, 'data'); // our SETTINGS
  const late = startAgent(t, sidecar.port);
  t.match(await call(late, fields('GET', '/')), { status: 403 });
  await silent.closed();
  t.strictSame(sidecar.shed, ['connection']);
  t.match(await call(known, fields('GET', '/')), { status: 403 }, 'who asked before stays');
});

t.test('a lease that ends in the middle resets its stream only', async (t) => {
  const { port } = await startRaw(t, (socket) =>
    socket.once('data', () => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nsome')),
  );
  const leases: (() => void)[] = [];
  const sidecar = await startReverse(t, {
    routes: [{ upstream: `http://127.0.0.1:${port}` }],
    decide: ({ path }) => (path === '/no' ? 'policy_denied' : undefined),
    lease: (lease) => leases.push(() => lease.end('lease_expired')),
  });
  const agent = startAgent(t, sidecar.port);
  const stream = agent.request(fields('GET', '/'));
  const heard = hear(stream);
  await once(stream, 'data');
  for (const end of leases) end();
  t.match(await heard, { status: 200, body: 'some', reset: CANCEL });
  t.match(await call(agent, fields('GET', '/no')), { status: 403, reset: 0 });
});

t.test('a listener that stops lets streams finish, and closes who has none', async (t) => {
  let answer: () => void = () => undefined;
  const port = await startOrigin(t, (_request, response) => (answer = () => response.end('late')));
  const sidecar = await startReverse(t, { routes: [{ upstream: `http://127.0.0.1:${port}` }] });
  const [busy, idle] = [startAgent(t, sidecar.port), startAgent(t, sidecar.port)];
  await once(idle, 'remoteSettings');
  const heard = call(busy, fields('GET', '/'));
  while (sidecar.upstream.idle === 0 && sidecar.calls.length === 0) await new Promise(setImmediate);
  const stopped = sidecar.listener.stop();
  await once(idle, 'close');
  answer();
  t.match(await heard, { status: 200, body: 'late' });
  await stopped;
});

t.test('an agent that leaves its call takes it along', async (t) => {
  const port = await startOrigin(t, (_request, response) => response.write('some'));
  const sidecar = await startReverse(t, { routes: [{ upstream: `http://127.0.0.1:${port}` }] });
  for (const leave of ['destroy', 'end'] as const) {
    const agent = new FrameAgent(sidecar.port);
    agent.socket.write(ASK);
    while (sidecar.calls.length === 0) await new Promise(setImmediate);
    sidecar.calls.length = 0;
    agent.socket[leave]();
  }
  await sidecar.finished(2);
  t.ok(sidecar.ended.every(({ ended }) => ended === 'client-abort'));
});

t.test(
  'a denied upload may end by itself: a reset comes behind the answer only if it goes on and on',
  async (t) => {
    const sidecar = await startReverse(t, { decide: refuse });
    const agent = new FrameAgent(sidecar.port);
    agent.socket.write(
      frame(TYPE.HEADERS, END_HEADERS, { stream: 1, payload: block(...fields('POST', '/')) }),
    );
    t.match(await agent.answer(), { text: /policy_denied/, reset: 0 });
    agent.socket.write(frame(TYPE.DATA, END_STREAM, { stream: 1, payload: Buffer.alloc(1000) }));
    agent.socket.write(frame(TYPE.GOAWAY, 0, { payload: new Uint8Array(8) }));
    t.notOk((await agent.closed()).some(({ type }) => type === TYPE.RST_STREAM));
    const endless = startAgent(t, sidecar.port).request(fields('POST', '/'));
    const more = (): void => {
      while (endless.write(Buffer.alloc(65_536)));
    };
    endless.on('drain', more);
    more();
    t.match(await hear(endless), { status: 403, body: /policy_denied/, reset: 0 });
    t.equal(sidecar.calls.length, 2);
  },
);
