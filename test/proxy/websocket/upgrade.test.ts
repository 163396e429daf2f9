/** The handshake: what the upstream may answer, and what becomes of every other answer. */
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import t from 'tap';
import type { WebSocket } from 'ws';
import type { HeldLease } from '../../../src/gate/lease.ts';
import { exchangeRaw, lastEnded, RawAgent, startSidecar } from '../small-gate.ts';
import { ACCEPT, handshakeBytes, startEcho, startTalker, SWITCHING } from '../websocket-server.ts';

const head = (...lines: readonly string[]): string =>
  ['HTTP/1.1 101 Switching Protocols', ...lines, '', ''].join('\r\n');
const UPGRADE = 'Upgrade: websocket';
const CONNECTION = 'Connection: Upgrade';
const ACCEPTED = `Sec-WebSocket-Accept: ${ACCEPT}`;

const hostile: readonly (readonly [name: string, reply: string])[] = [
  ['a wrong Accept', head(UPGRADE, CONNECTION, 'Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=')],
  ['no Accept', head(UPGRADE, CONNECTION)],
  ['two Accepts', head(UPGRADE, CONNECTION, ACCEPTED, ACCEPTED)],
  ['another protocol', head('Upgrade: h2c', CONNECTION, ACCEPTED)],
  ['two protocols', head(UPGRADE, 'Upgrade: h2c', CONNECTION, ACCEPTED)],
  ['no Upgrade', head(CONNECTION, ACCEPTED)],
  ['no Connection', head(UPGRADE, ACCEPTED)],
  ['a subprotocol nobody offered', head(UPGRADE, CONNECTION, ACCEPTED, 'Sec-WebSocket-Protocol: admin')],
  ['an extension nobody offered', head(UPGRADE, CONNECTION, ACCEPTED, 'Sec-WebSocket-Extensions: permessage-deflate')],
  ['a body', head(UPGRADE, CONNECTION, ACCEPTED, 'Content-Length: 5')],
  ['1,100 headers', head(UPGRADE, CONNECTION, ACCEPTED, ...Array.from({ length: 1100 }, (_, i) => `a${i}: b`))],
  ['NUL in a header', head(UPGRADE, CONNECTION, ACCEPTED, 'X: a\0b')],
  ['a folded header', head(UPGRADE, CONNECTION, ACCEPTED, 'X: a', ' b')],
  ['no HTTP', 'hello there\r\n\r\n'],
  ['nothing, and the end', ''],
  ['a flood of 1xx', 'HTTP/1.1 102 Processing\r\n\r\n'.repeat(20)],
]; // prettier-ignore

for (const [name, reply] of hostile)
  t.test(`a reply with ${name} is a failed upstream`, async (t) => {
    const talker = await startTalker(t, (socket) => (reply ? socket.write(reply) : socket.end()));
    const sidecar = await startSidecar(t, { allow: [`127.0.0.1:${talker.port}`] });
    const heard = await exchangeRaw(sidecar.port, handshakeBytes(talker.port));
    t.match(heard, /^HTTP\/1\.1 502 .*urn:writ:upstream:/s);
    t.notMatch(heard, / 101 |admin|permessage/); // in its id any digits may stand
    await sidecar.finished(1);
    t.match(lastEnded(sidecar), {
      ended: 'upstream-error',
      answered: true,
      dialled: `127.0.0.1:${talker.port}`,
    });
    await talker.closed;
    t.equal(talker.heard().length, 0, 'not one byte after the handshake');
  });

t.test('the agent hears the upstream’s 101, without what only we may say', async (t) => {
  const reply = SWITCHING.replace(
    '\r\n\r\n',
    ['', 'Writ-Decision: permit; id="forged"', 'Alt-Svc: h3=":443"', 'Keep-Alive: timeout=5', 'Connection: X-Secret', 'X-Secret: 1', 'Set-Cookie: a=1', 'Set-Cookie: b=2', '', ''].join('\r\n'),
  ); // prettier-ignore
  const talker = await startTalker(t, reply);
  const sidecar = await startSidecar(t, { allow: [`127.0.0.1:${talker.port}`] });
  const agent = new RawAgent(sidecar.port);
  agent.socket.write(handshakeBytes(talker.port));
  await agent.hears('\r\n\r\n');
  const lines = agent.heard.split('\r\n').map((line) => line.toLowerCase());
  t.same(lines.slice(0, 1), ['http/1.1 101 switching protocols']);
  t.same(lines.slice(1, -2).sort(), [
    'connection: upgrade',
    `sec-websocket-accept: ${ACCEPT}`.toLowerCase(),
    'set-cookie: a=1',
    'set-cookie: b=2',
    'upgrade: websocket',
    `writ-decision: permit; id="${sidecar.calls[0]?.id}"; entry=7`,
  ]);
  agent.socket.destroy();
  await sidecar.finished(1);
});

t.test(
  'the upstream hears the handshake as it is on record: target and headers as they came, none of ours',
  async (t) => {
    const echo = await startEcho(t);
    const sidecar = await startSidecar(t, { allow: [`127.0.0.1:${echo.port}`] });
    const arrival = once(echo.server, 'connection');
    const agent = new RawAgent(sidecar.port);
    const target = '/a%20b/?u=http://a//b/../c&q=?';
    const lines = [
      'Writ-Grant: secret',
      'X-A: 1',
      'X-B: 2',
      'X-A: 3',
      'Keep-Alive: 1',
      'X-Forwarded-For: 1.1.1.1',
    ];
    agent.socket.write(handshakeBytes(echo.port, ...lines).replace('/chat', target));
    const [, request] = (await arrival) as [WebSocket, IncomingMessage];
    t.equal(request.url, target);
    const pairs = request.rawHeaders.flatMap((name, i) =>
      i % 2 === 0 ? [`${name.toLowerCase()}: ${request.rawHeaders[i + 1]}`] : [],
    );
    const call = sidecar.calls[0];
    t.same(pairs, [
      ...(call?.headers ?? []).map(([name, value]) => `${name}: ${value}`),
      'upgrade: websocket',
      'connection: Upgrade',
    ]);
    t.same(
      call?.headers.map(([name]) => name),
      ['host', 'sec-websocket-version', 'sec-websocket-key', 'x-a', 'x-a', 'x-b', 'traceparent'],
      'headers of one name stand together, since the library sends them so',
    );
    agent.socket.destroy();
    await sidecar.finished(1);
  },
);

t.test('a handshake that is never answered ends in time, and so does its connection', async (t) => {
  const talker = await startTalker(t, () => undefined);
  const sidecar = await startSidecar(t, { allow: [`127.0.0.1:${talker.port}`], settings: { headMs: 50 } });
  const heard = await exchangeRaw(sidecar.port, handshakeBytes(talker.port));
  t.match(heard, /^HTTP\/1\.1 504 .*urn:writ:upstream:head_timeout/s);
  await talker.closed;
  await sidecar.finished(1);
  t.match(lastEnded(sidecar), { ended: 'upstream-error' });
});

t.test(
  'another answer than 101 is relayed like any response, with its digests, and then the connection ends',
  async (t) => {
    const talker = await startTalker(
      t,
      'HTTP/1.1 401 Unauthorized\r\nContent-Length: 5\r\nWWW-Authenticate: Basic\r\nWrit-Decision: permit\r\n\r\nnever',
    );
    const sidecar = await startSidecar(t, { allow: [`127.0.0.1:${talker.port}`] });
    const heard = await exchangeRaw(sidecar.port, handshakeBytes(talker.port));
    t.match(heard, /^HTTP\/1\.1 401 Unauthorized\r\n.*connection: close.*\r\n\r\nnever$/is);
    t.equal(heard.match(/writ-decision/gi)?.length, 1);
    await sidecar.finished(1);
    t.match(lastEnded(sidecar), { ended: 'complete', status: 401, response: { bytes: 5 } });
    await talker.closed;
  },
);

t.test('an endless answer is read no faster than the agent reads it, and ends with the agent', async (t) => {
  let sent = 0;
  const chunk = Buffer.alloc(65_536);
  const talker = await startTalker(t, (socket) => {
    socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n');
    const more = (): void => {
      for (;;) {
        sent += chunk.length;
        socket.write(`${chunk.length.toString(16)}\r\n`);
        socket.write(chunk);
        if (!socket.write('\r\n')) break;
      }
      socket.once('drain', more);
      still.refresh();
    };
    more();
  });
  let stand: () => void = () => undefined;
  const stands = new Promise<void>((resolve) => (stand = resolve));
  const still = setTimeout(() => stand(), 300); // the pause of a sender that is not asked for more
  const sidecar = await startSidecar(t, { allow: [`127.0.0.1:${talker.port}`] });
  const agent = new RawAgent(sidecar.port);
  agent.socket.write(handshakeBytes(talker.port));
  await agent.hears('\r\n\r\n');
  agent.socket.pause();
  await stands;
  t.ok(sent < 32 * 1024 * 1024, `${sent} bytes were taken from the upstream`);
  agent.socket.destroy();
  await talker.closed;
  await sidecar.finished(1);
  t.match(lastEnded(sidecar), { ended: 'client-abort', status: 200 });
});

t.test('such an answer that falls silent behind a slow agent ends in time', async (t) => {
  const talker = await startTalker(t, (socket) => {
    socket.write('HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n');
    socket.write(Buffer.alloc(32 * 1024 * 1024)); // more than lies between the two
  });
  const settings = { bodyIdleMs: 50 };
  const sidecar = await startSidecar(t, { allow: [`127.0.0.1:${talker.port}`], settings });
  const agent = new RawAgent(sidecar.port);
  agent.socket.write(handshakeBytes(talker.port));
  await agent.hears('\r\n\r\n');
  agent.socket.pause();
  await new Promise((resolve) => setTimeout(resolve, 300)); // what is tested is time itself
  t.equal(sidecar.ended.length, 0, 'it is not the upstream that is slow');
  agent.socket.removeAllListeners('data').resume();
  await agent.closed();
  await talker.closed;
  await sidecar.finished(1);
  t.match(lastEnded(sidecar), { ended: 'upstream-error', why: 'body_timeout', status: 200 });
});

t.test('a lease limits such an answer, too', async (t) => {
  const talker = await startTalker(t, 'HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n' + 'x'.repeat(5000));
  const sidecar = await startSidecar(t, {
    allow: [`127.0.0.1:${talker.port}`],
    lease: (lease) => lease.limit({ responseBytes: 10 }),
  });
  t.notMatch(await exchangeRaw(sidecar.port, handshakeBytes(talker.port)), 'xxxxxxxxxxx');
  await talker.closed;
  await sidecar.finished(1);
  t.match(lastEnded(sidecar), { ended: 'cut', by: 'lease_response_bytes' });
});

t.test('an agent that speaks before it is answered opens nothing', async (t) => {
  const talker = await startTalker(t, SWITCHING);
  const sidecar = await startSidecar(t, { allow: [`127.0.0.1:${talker.port}`] });
  const early = `${handshakeBytes(talker.port)}GET http://127.0.0.1:${talker.port}/admin HTTP/1.1\r\n\r\n`;
  t.equal(await exchangeRaw(sidecar.port, early), '');
  await talker.closed;
  t.equal(talker.heard().length, 0);
  await sidecar.finished(1);
  t.match(lastEnded(sidecar), { ended: 'client-abort' });
});

t.test('an agent that leaves during the handshake takes its upstream connection with it', async (t) => {
  for (const leave of ['end', 'destroy', 'resetAndDestroy'] as const) {
    const talker = await startTalker(t, () => agent.socket[leave]());
    const sidecar = await startSidecar(t, { allow: [`127.0.0.1:${talker.port}`] });
    const agent = new RawAgent(sidecar.port);
    agent.socket.write(handshakeBytes(talker.port));
    await talker.closed;
    await sidecar.finished(1);
    t.match(lastEnded(sidecar), { ended: 'client-abort', answered: false }, leave);
    agent.socket.destroy();
  }
});

t.test('a lease that ends during the handshake is a denial', async (t) => {
  let held: HeldLease | undefined;
  const talker = await startTalker(t, () => held?.end('lease_expired'));
  const sidecar = await startSidecar(t, {
    allow: [`127.0.0.1:${talker.port}`],
    lease: (lease) => (held = lease),
  });
  const heard = await exchangeRaw(sidecar.port, handshakeBytes(talker.port));
  t.match(heard, /^HTTP\/1\.1 403 .*"code":"lease_expired"/s);
  await talker.closed;
  t.match(lastEnded(sidecar), { ended: 'cut', by: 'lease_expired', answered: false });
});
