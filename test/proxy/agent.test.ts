/** What an agent may send on its connection, and what it gets for it. */
import { once } from 'node:events';
import { request } from 'node:http';
import type { IncomingMessage } from 'node:http';
import t from 'tap';
import { exchangeRaw, lastEnded, RawAgent, startOrigin, startRaw, startSidecar } from './small-gate.ts';
import type { Teardown } from './small-gate.ts';
import { hasProc } from '../e2e/child-sidecar.ts';

const head = (method: string, port: number, path: string, ...lines: readonly string[]): string =>
  [`${method} http://127.0.0.1:${port}${path} HTTP/1.1`, `Host: 127.0.0.1:${port}`, ...lines, '', ''].join(
    '\r\n',
  );

/** An origin that remembers what reached it and answers with the path. */
async function startWitness(t: Teardown): Promise<{ port: number; seen: string[] }> {
  const seen: string[] = [];
  const port = await startOrigin(t, (incoming, response) => {
    seen.push(`${incoming.method} ${incoming.url}`);
    incoming.resume().on('end', () => response.end(`you called ${incoming.url}`));
  });
  return { port, seen };
}

t.test('pipelined requests are decided one by one and answered in order', async (t) => {
  const { port, seen } = await startWitness(t);
  const decide = ({ path }: { path: string }): 'policy_denied' | undefined =>
    path === '/b' ? 'policy_denied' : undefined;
  const sidecar = await startSidecar(t, { allow: [`127.0.0.1:${port}`], decide });
  const heard = await exchangeRaw(
    sidecar.port,
    head('GET', port, '/a') + head('GET', port, '/b') + head('GET', port, '/c', 'Connection: close'),
  );
  t.match(heard, /you called \/a.*policy_denied.*you called \/c/s);
  t.same(seen, ['GET /a', 'GET /c']);
  t.equal(sidecar.calls.length, 3);
});

t.test('a flood of pipelined requests closes the connection', async (t) => {
  const { port } = await startRaw(t, () => undefined);
  const sidecar = await startSidecar(t, { allow: [`127.0.0.1:${port}`] });
  await exchangeRaw(sidecar.port, head('GET', port, '/').repeat(200));
  t.equal(sidecar.calls.length, 1);
});

t.test('after a denial with an unread body nothing on that connection is handled', async (t) => {
  const { port, seen } = await startWitness(t);
  const sidecar = await startSidecar(t, { allow: [`127.0.0.1:${port}`], decide: () => 'policy_denied' });
  for (const framing of ['Content-Length: 1000', 'Transfer-Encoding: chunked']) {
    const agent = new RawAgent(sidecar.port);
    agent.socket.write(head('POST', port, '/', framing));
    await agent.hears('"code":"policy_denied"');
    t.match(agent.heard, /^HTTP\/1.1 403 .*\r\nConnection: close\r\n/s);
    agent.socket.write(
      framing.startsWith('C') ? 'x'.repeat(1000) : '3e8\r\n' + 'x'.repeat(1000) + '\r\n0\r\n\r\n',
    );
    agent.socket.write(head('GET', port, '/second'));
    await agent.closed();
    t.equal(agent.heard.split('HTTP/1.1 ').length, 2, framing);
  }
  t.equal(sidecar.calls.length, 2);
  t.same(seen, []);
});

t.test('a denial reaches an agent that is still uploading', async (t) => {
  const { port } = await startWitness(t);
  const sidecar = await startSidecar(t, { allow: [`127.0.0.1:${port}`], decide: () => 'scope_action' });
  const sent = request({
    port: sidecar.port,
    host: '127.0.0.1',
    method: 'POST',
    path: `http://127.0.0.1:${port}/`,
    headers: { host: `127.0.0.1:${port}` },
    agent: false,
  });
  sent.on('error', () => undefined);
  const upload = (): void => {
    while (sent.write(Buffer.alloc(65_536)));
  };
  sent.on('drain', upload);
  upload();
  const [response] = (await once(sent, 'response')) as [IncomingMessage]; // node:http's event
  t.equal(response.statusCode, 403);
  let body = '';
  response.setEncoding('utf8').on('data', (text: string) => (body += text));
  await once(response, 'end');
  t.match(body, '"code":"scope_action"');
  sent.destroy();
});

t.test('CONNECT and Upgrade get a denial and the end of the connection', async (t) => {
  const { port, seen } = await startWitness(t);
  const sidecar = await startSidecar(t, { allow: [`127.0.0.1:${port}`] });
  const connect = `CONNECT 127.0.0.1:${port} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`;
  const upgrade = head(
    'GET',
    port,
    '/',
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
  );
  for (const [bytes, code] of [
    [connect, 'tunnel_unsupported'],
    [connect + head('GET', port, '/early'), 'tunnel_unsupported'],
    [upgrade, 'upgrade_invalid'],
    [upgrade + head('GET', port, '/early'), 'upgrade_invalid'],
  ] as const) {
    const heard = await exchangeRaw(sidecar.port, bytes);
    t.match(heard, /^HTTP\/1.1 403 Forbidden\r\n.*\r\nConnection: close\r\n/s, code);
    const [, body = ''] = heard.split('\r\n\r\n');
    t.equal(JSON.parse(body).code, code);
    t.match(heard, `content-length: ${body.length}\r\n`);
  }
  t.same(seen, []);
});

t.test('an offer of HTTP/2 is not heard, and the connection ends behind its call', async (t) => {
  const { port, seen } = await startWitness(t);
  const sidecar = await startSidecar(t, { allow: [`127.0.0.1:${port}`] });
  const offer = ['Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAABk'];
  const upload = head('POST', port, '/', ...offer, 'Content-Length: 5');
  for (const pieces of [
    [head('GET', port, '/', ...offer), head('GET', port, '/behind')],
    [`${head('GET', port, '/', ...offer)}GET /lost HTTP/1.1\r\nX:`, head('GET', port, '/behind')],
    [upload, `hello${head('GET', port, '/behind')}`],
    [upload, 'hello', head('GET', port, '/behind')],
  ]) {
    const agent = new RawAgent(sidecar.port);
    agent.socket.setNoDelay(true);
    for (const piece of pieces) await new Promise((resolve) => agent.socket.write(piece, resolve));
    await agent.closed();
    t.match(agent.heard, /^HTTP\/1.1 200 OK\r\n.*\r\nConnection: close\r\n.*you called \//is);
    t.equal(agent.heard.split('HTTP/1.1 ').length, 2);
  }
  t.same(seen, ['GET /', 'GET /', 'POST /', 'POST /']);
});

const unreadable: readonly [string, string | Buffer, 400 | 431][] = [
  ['no HTTP', 'hello\r\n\r\n', 400],
  ['TLS', Buffer.from('160301020001fc0303', 'hex'), 400],
  ['a bare LF', 'GET http://a/ HTTP/1.1\nHost: a\n\n', 400],
  ['a bare CR', 'GET http://a/ HTTP/1.1\r\nHost: a\rX: b\r\n\r\n', 400],
  ['NUL in a header', 'GET http://a/ HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n', 400],
  ['space before the colon', 'GET http://a/ HTTP/1.1\r\nHost : a\r\n\r\n', 400],
  ['a folded header', 'GET http://a/ HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n', 400],
  [
    'two lengths',
    'POST http://a/ HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx',
    400,
  ],
  [
    'a length and a coding',
    'POST http://a/ HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    400,
  ],
  ['a signed length', 'POST http://a/ HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\nx', 400],
  ['an unknown version', 'GET http://a/ HTTP/3.1\r\nHost: a\r\n\r\n', 400],
  ['a head of 20 KiB', `GET http://a/ HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`, 431],
];

t.test('what is not HTTP gets a bare status and the end of the connection', async (t) => {
  const sidecar = await startSidecar(t);
  for (const [name, bytes, status] of unreadable) {
    const heard = await exchangeRaw(sidecar.port, bytes);
    t.match(
      heard,
      new RegExp(`^HTTP/1.1 ${status} [A-Za-z ]+\\r\\nconnection: close\\r\\ncontent-length: 0\\r\\n\\r\\n$`),
      name,
    );
    t.equal(sidecar.malformed.at(-1)?.status, status, name);
  }
  t.equal(sidecar.malformed.length, unreadable.length);
  t.equal(sidecar.calls.length, 0);
});

t.test('what becomes unreadable while a reply runs closes the connection behind that reply', async (t) => {
  const { port, sockets } = await startRaw(t, (socket) => {
    socket.once('data', () => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\npart'));
  });
  const sidecar = await startSidecar(t, { allow: [`127.0.0.1:${port}`] });
  const agent = new RawAgent(sidecar.port);
  agent.socket.write(head('GET', port, '/'));
  await agent.hears('part');
  agent.socket.write(`not http at all\r\n\r\n${head('GET', port, '/smuggled')}`);
  while (sidecar.malformed.length === 0) await new Promise(setImmediate);
  for (const socket of sockets) socket.write(' whole');
  await agent.closed();
  t.match(agent.heard, /part whole$/);
  await sidecar.finished(1);
  t.equal(lastEnded(sidecar).ended, 'complete');
  t.equal(sidecar.malformed.length, 1);
  t.equal(sidecar.calls.length, 1);
});

t.test('an agent that leaves after something unreadable takes its call with it', async (t) => {
  const { port } = await startRaw(t, (socket) => {
    socket.once('data', () => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\npart'));
  });
  const sidecar = await startSidecar(t, { allow: [`127.0.0.1:${port}`] });
  const agent = new RawAgent(sidecar.port);
  agent.socket.write(head('GET', port, '/'));
  await agent.hears('part');
  agent.socket.end('not http at all\r\n\r\n');
  await sidecar.finished(1);
  t.equal(lastEnded(sidecar).ended, 'client-abort');
});

t.test('headers beyond the thousandth are seen, and refused', async (t) => {
  const { port, seen } = await startWitness(t);
  const sidecar = await startSidecar(t, { allow: [`127.0.0.1:${port}`] });
  const hidden = [...Array.from({ length: 1100 }, () => 'a: b'), 'Transfer-Encoding: chunked'];
  const smuggled = head('GET', port, '/smuggled');
  const heard = await exchangeRaw(
    sidecar.port,
    head('POST', port, '/', ...hidden) + `${smuggled.length.toString(16)}\r\n${smuggled}\r\n0\r\n\r\n`,
  );
  t.match(heard, /^HTTP\/1.1 403 .*"code":"header_count"/s);
  t.equal(heard.split('HTTP/1.1 ').length, 2);
  t.same(seen, []);
});

t.test('trailers that nobody announced end the call', async (t) => {
  const { port, seen } = await startWitness(t);
  const body = '2\r\nok\r\n0\r\nWrit-Grant: late\r\n\r\n';
  const bytes = head('POST', port, '/', 'Transfer-Encoding: chunked') + body;
  const streamed = await startSidecar(t, { allow: [`127.0.0.1:${port}`] });
  const heard = await exchangeRaw(streamed.port, bytes + head('GET', port, '/', 'Connection: close'));
  t.match(heard, /^HTTP\/1.1 403 .*"code":"trailers_unsupported"/s);
  t.match(streamed.ended[0], { ended: 'cut', by: 'trailers_unsupported', answered: false });
  const bound = await startSidecar(t, { allow: [`127.0.0.1:${port}`], bind: 100, decide: () => undefined });
  t.match(
    await exchangeRaw(bound.port, bytes.replace('HTTP/1.1\r\n', 'HTTP/1.1\r\nConnection: close\r\n')),
    '"code":"trailers_unsupported"',
  );
  t.equal(seen.filter((line) => line.startsWith('POST')).length, 1, 'the streamed one had begun');
});

t.test('100 Continue comes after the permit, and not at all before a denial', async (t) => {
  const { port } = await startWitness(t);
  const sidecar = await startSidecar(t, {
    allow: [`127.0.0.1:${port}`],
    decide: ({ path }) => (path === '/no' ? 'scope_path' : undefined),
  });
  const expecting = ['Content-Length: 4', 'Expect: 100-continue', 'Connection: close'];
  const permitted = new RawAgent(sidecar.port);
  permitted.socket.write(head('POST', port, '/yes', ...expecting));
  await permitted.hears('HTTP/1.1 100 Continue\r\n\r\n');
  t.equal(sidecar.calls.length, 1);
  permitted.socket.write('body');
  await permitted.closed();
  t.match(permitted.heard, /^HTTP\/1.1 100 Continue\r\n\r\nHTTP\/1.1 200 .*you called \/yes/s);
  const refused = new RawAgent(sidecar.port);
  refused.socket.write(head('POST', port, '/no', ...expecting));
  await refused.hears('scope_path');
  t.match(refused.heard, /^HTTP\/1.1 403 /);
  refused.socket.end();
  const strange = await exchangeRaw(
    sidecar.port,
    head('POST', port, '/', 'Content-Length: 0', 'Expect: tea', 'Connection: close'),
  );
  t.match(strange, '"code":"expect_unsupported"');
});

t.test('an agent that goes away closes its upstream connection', async (t) => {
  const talks = {
    'before the head': '',
    'after the head': 'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n',
    'within the body': 'HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nsome',
  };
  for (const [name, text] of Object.entries(talks)) {
    const closed: Promise<unknown>[] = [];
    let arrived: () => void = () => undefined;
    const arrival = new Promise<void>((resolve) => (arrived = resolve));
    const { port } = await startRaw(t, (socket) => {
      closed.push(once(socket, 'close'));
      socket.once('data', () => (socket.write(text), arrived()));
    });
    const sidecar = await startSidecar(t, { allow: [`127.0.0.1:${port}`] });
    const agent = new RawAgent(sidecar.port);
    agent.socket.write(head('GET', port, '/'));
    await arrival;
    if (text) await agent.hears('HTTP/1.1 200');
    agent.socket.destroy();
    await Promise.all(closed);
    await sidecar.finished(1);
    t.match(lastEnded(sidecar), { ended: 'client-abort', answered: text !== '' }, name);
    t.equal(sidecar.upstream.idle, 0, name);
  }
});

t.test('an agent that goes away while it uploads closes its upstream connection', async (t) => {
  const closed: Promise<unknown>[] = [];
  let arrived: () => void = () => undefined;
  const arrival = new Promise<void>((resolve) => (arrived = resolve));
  const { port } = await startRaw(t, (socket) => {
    closed.push(once(socket, 'close'));
    socket.on('data', (data: Buffer) => data.includes('part') && arrived());
  });
  const sidecar = await startSidecar(t, { allow: [`127.0.0.1:${port}`] });
  const agent = new RawAgent(sidecar.port);
  agent.socket.write(head('POST', port, '/', 'Content-Length: 100') + 'part');
  await arrival;
  agent.socket.destroy();
  await Promise.all(closed);
  await sidecar.finished(1);
  t.match(lastEnded(sidecar), { ended: 'client-abort', request: { bytes: 4 } });
});

t.test('an HTTP/1.0 agent gets a body that the connection ends', async (t) => {
  const { port } = await startRaw(t, (socket) =>
    socket.once('data', () =>
      socket.write('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n'),
    ),
  );
  const sidecar = await startSidecar(t, { allow: [`127.0.0.1:${port}`] });
  const heard = await exchangeRaw(sidecar.port, head('GET', port, '/').replace('HTTP/1.1', 'HTTP/1.0'));
  t.match(heard, /^HTTP\/1.1 200 .*\r\n\r\nok$/s);
  t.notMatch(heard, /transfer-encoding/i);
});

t.test('a stopping listener lets running calls finish and takes no more', async (t) => {
  let answer: () => void = () => undefined;
  let arrived: () => void = () => undefined;
  const arrival = new Promise<void>((resolve) => (arrived = resolve));
  const port = await startOrigin(t, (_request, response) => {
    answer = () => response.end('finished well');
    arrived();
  });
  const sidecar = await startSidecar(t, { allow: [`127.0.0.1:${port}`] });
  const idle = new RawAgent(sidecar.port);
  await once(idle.socket, 'connect');
  const running = new RawAgent(sidecar.port);
  running.socket.write(head('GET', port, '/'));
  await arrival;
  const stopped = sidecar.listener.stop();
  await idle.closed();
  running.socket.write(head('GET', port, '/late'));
  answer();
  await running.closed();
  await stopped;
  t.match(running.heard, /Connection: close\r\n.*finished well$/s);
  t.equal(sidecar.calls.length, 1);
});

t.test('a CONNECT behind a pipelined request waits for its turn', async (t) => {
  const { port, seen } = await startWitness(t);
  const sidecar = await startSidecar(t, { allow: [`127.0.0.1:${port}`] });
  const connect = `CONNECT 127.0.0.1:${port} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`;
  const heard = await exchangeRaw(
    sidecar.port,
    head('GET', port, '/first') + connect + head('GET', port, '/no'),
  );
  t.match(heard, /^HTTP\/1.1 200 .*you called \/first.*HTTP\/1.1 403 .*tunnel_unsupported/s);
  t.same(seen, ['GET /first']);
});

t.test(
  'a head that does not come in time is 408, and is looked for each second',
  { timeout: 15_000 },
  async (t) => {
    const sidecar = await startSidecar(t, { headMs: 100 });
    t.match(await exchangeRaw(sidecar.port, 'GET http://a/ HTTP/1.1\r\nHost: a\r\n'), /^HTTP\/1.1 408 /);
    t.match(sidecar.malformed, [{ status: 408, why: 'ERR_HTTP_REQUEST_TIMEOUT' }]);
  },
);

t.test('many agents that go away leave no upstream connection behind', async (t) => {
  const heads = ['', 'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\ndata: 1\n\n'];
  let turn = 0;
  let arrived = 0;
  const { port, sockets } = await startRaw(t, (socket) => {
    const text = heads[turn++ % heads.length] ?? '';
    socket.once('data', () => (socket.write(text), (arrived += 1)));
  });
  const sidecar = await startSidecar(t, { allow: [`127.0.0.1:${port}`] });
  const agents = Array.from({ length: 100 }, () => new RawAgent(sidecar.port));
  for (const { socket } of agents) socket.write(head('GET', port, '/'));
  while (arrived < agents.length) await new Promise(setImmediate);
  for (const { socket } of agents) socket.destroy();
  await sidecar.finished(agents.length);
  while (sockets.size > 0) await new Promise(setImmediate);
  t.ok(sidecar.ended.every(({ ended }) => ended === 'client-abort'));
  t.equal(sidecar.upstream.idle, 0);
});

t.test('an agent that has no more to say still gets its answer', { skip: !hasProc }, async (t) => {
  let respond: () => void = () => undefined;
  const port = await startOrigin(t, (incoming, response) => {
    const answer = (): unknown => response.end(`you called ${incoming.resume().url}`);
    if (incoming.url === '/late') respond = answer;
    else answer();
  });
  const sidecar = await startSidecar(t, { allow: [`127.0.0.1:${port}`] });
  const late = new RawAgent(sidecar.port);
  late.socket.end(head('GET', port, '/late')); // a head, and FIN
  await once(late.socket, 'finish');
  await exchangeRaw(sidecar.port, head('GET', port, '/', 'Connection: close')); // the FIN was heard by now
  t.notOk(late.socket.closed);
  respond();
  await late.closed();
  t.match(late.heard, /you called \/late$/);
  const two = new RawAgent(sidecar.port);
  two.socket.end(head('GET', port, '/a') + head('POST', port, '/b', 'Content-Length: 4') + 'body');
  await two.closed();
  t.match(two.heard, /you called \/a.*you called \/b$/s, 'and those to what it said before');
  await sidecar.finished(4);
  t.ok(sidecar.ended.every(({ ended }) => ended === 'complete'));
});
