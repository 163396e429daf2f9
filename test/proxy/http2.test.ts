/** Calls over HTTP/2, on either side and on both. */
import { hash } from 'node:crypto';
import t from 'tap';
import { call, fields, hear, startAgent, startHttp2Origin, valueOf } from './http2-client.ts';
import { block, END_HEADERS, END_STREAM, frame, FrameAgent, TYPE } from './http2-frames.ts';
import { exchangeRaw, lastEnded, startOrigin, startRaw, startSidecar } from './small-gate.ts';
import type { Plan, Teardown } from './small-gate.ts';

/** What is on record of trailers. */
function digestsOf(trailers: readonly (readonly [string, string])[]) {
  const text = JSON.stringify(trailers);
  return { sha256: hash('sha256', text), sha3_512: hash('sha3-512', text) };
}

/** An HTTP/2 sidecar before an upstream that is spoken to in this way. */
function startBefore(t: Teardown, port: number, choice: 'h1' | 'h2', plan: Plan = {}) {
  const settings = { choose: () => choice, ...plan.settings };
  return startSidecar(t, { routes: [{ upstream: `http://127.0.0.1:${port}` }], ...plan, settings });
}

t.test('a call passes from HTTP/2 to HTTP/1.1 and back', async (t) => {
  const seen: [string | undefined, string | undefined, string[], string][] = [];
  const port = await startOrigin(t, (request, response) => {
    let body = '';
    request.on('data', (chunk) => (body += chunk));
    request.on('end', () => {
      seen.push([request.method, request.url, request.rawHeaders, body]);
      response.writeHead(201, ['x-a', '1', 'x-a', '2']).end('answer');
    });
  });
  const sidecar = await startBefore(t, port, 'h1');
  const agent = startAgent(t, sidecar.http2Port);
  const heard = await call(agent, fields('POST', '/p?q=1', 'x-b', '3', 'te', 'trailers'), 'question');
  t.match(heard, { status: 201, body: 'answer', reset: 0 });
  t.equal(valueOf(heard.headers, 'writ-decision'), `permit; id="${sidecar.calls[0]?.id}"; entry=7`);
  t.same(heard.headers.filter((name, i) => i % 2 === 0 && name === 'x-a').length, 2);
  const [[method, target, headers, body] = []] = seen;
  t.same([method, target, body], ['POST', '/p?q=1', 'question']);
  t.match(
    headers?.join(' '),
    new RegExp(`^host 127.0.0.1:${port} .*x-b 3 traceparent .* transfer-encoding chunked$`),
  );
  t.notMatch(headers?.join(' '), / te /);
  await sidecar.finished(1);
  t.match(lastEnded(sidecar), {
    ended: 'complete',
    status: 201,
    request: { bytes: 8 },
    response: { bytes: 6 },
  });
});

t.test('a call passes from HTTP/2 to HTTP/2, with trailers both ways', async (t) => {
  const seen: unknown[] = [];
  const { port, sessions } = await startHttp2Origin(t, (stream, request) => {
    let body = '';
    stream.on('data', (chunk) => (body += chunk)).on('trailers', (_h, _f, raw) => seen.push(raw));
    stream.on('end', () => {
      seen.push(request, body);
      stream.respond([':status', '200', 'x-a', '1', 'x-a', '2'], { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'x-sum': '1', 'writ-decision': 'deny' }));
      stream.end('answer');
    });
  });
  const sidecar = await startBefore(t, port, 'h2');
  const agent = startAgent(t, sidecar.http2Port);
  for (let i = 0; i < 3; i++) {
    const stream = agent.request(fields('POST', '/p?q=1', 'x-b', '3'), { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'x-check': 'yes' }));
    stream.end('question');
    const heard = await hear(stream);
    t.match(heard, { status: 200, body: 'answer', trailers: ['x-sum', '1'], reset: 0 });
  }
  t.same(seen[0], ['x-check', 'yes']);
  t.match((seen[1] as string[]).join(' '), new RegExp(`:authority 127.0.0.1:${port} .*x-b 3 .*te trailers`)); // strings, above
  t.equal(seen[2], 'question');
  await sidecar.finished(3);
  t.match(lastEnded(sidecar), {
    ended: 'complete',
    request: { bytes: 8, trailers: digestsOf([['x-check', 'yes']]) },
    response: { bytes: 6, trailers: digestsOf([['x-sum', '1']]) },
  });
  t.equal(sessions(), 1, 'the calls of one agent share a connection');
  t.equal(sidecar.upstream.idle, 1);
});

t.test('a denial is the same document on HTTP/2, also for an upload that goes on', async (t) => {
  const sidecar = await startBefore(t, 1, 'h1', { decide: () => 'scope_action' });
  const agent = startAgent(t, sidecar.http2Port);
  const plain = await call(agent, fields('GET', '/'));
  t.match(plain, { status: 403, reset: 0 });
  t.equal(JSON.parse(plain.body).code, 'scope_action');
  t.match(valueOf(plain.headers, 'writ-decision'), /^deny; id=".*"; code=scope_action$/);
  const upload = agent.request(fields('POST', '/'));
  upload.write(Buffer.alloc(1000));
  const heard = await hear(upload);
  t.match(heard, { status: 403, reset: 0 });
  t.equal(JSON.parse(heard.body).code, 'scope_action');
  t.match(await call(agent, fields('HEAD', '/')), { status: 403, body: '', reset: 0 });
  t.match(await call(agent, fields('GET', '/')), { status: 403 }, 'and the connection goes on');
});

t.test(
  'pseudo-headers and connection headers go through the rules, or the parser resets the stream',
  async (t) => {
    const sidecar = await startBefore(t, 1, 'h1', { decide: () => 'policy_denied' });
    const base = [':method', 'GET', ':scheme', 'http', ':authority', 'sidecar'];
    const cases: readonly (readonly [string, readonly string[], string | undefined])[] = [
      ['a host that agrees', [...base, ':path', '/', 'host', 'sidecar'], 'policy_denied'],
      ['another host', [...base, ':path', '/', 'host', 'other'], 'authority_mismatch'],
      ['another scheme', [...base, ':path', '/', ':scheme', 'ftp'].toSpliced(2, 2), 'target_invalid'],
      ['absolute-form', [...base, ':path', 'http://sidecar/'], undefined],
      ['userinfo', [...base.with(5, 'me@sidecar'), ':path', '/'], undefined],
      ['a fragment', [...base, ':path', '/#a'], 'target_fragment'],
      ['dots', [...base, ':path', '/a/../b'], 'path_dot_segment'],
      ['a lower-case method', [...base.with(1, 'get'), ':path', '/'], 'method_invalid'],
      ['connection', [...base, ':path', '/', 'connection', 'close'], undefined],
      ['transfer-encoding', [...base, ':path', '/', 'transfer-encoding', 'chunked'], undefined],
      ['TE', [...base, ':path', '/', 'te', 'gzip'], undefined],
      ['upper case', [...base, ':path', '/', 'X-A', '1'], undefined],
      ['no path', base, undefined],
      ['no scheme', [...base.toSpliced(2, 2), ':path', '/'], undefined],
      ['two paths', [...base, ':path', '/', ':path', '/b'], undefined],
      ['an unknown pseudo-header', [...base, ':path', '/', ':odd', '1'], undefined],
      ['a late pseudo-header', [...base, 'x', '1', ':path', '/'], undefined],
      ['extended CONNECT', [...base.with(1, 'CONNECT'), ':path', '/', ':protocol', 'websocket'], undefined],
      ['CONNECT', [':method', 'CONNECT', ':authority', 'sidecar:443'], 'tunnel_unsupported'],
    ];
    for (const [name, request, code] of cases) {
      const agent = new FrameAgent(sidecar.http2Port);
      const flags = END_HEADERS | END_STREAM;
      agent.socket.write(frame(TYPE.HEADERS, flags, { stream: 1, payload: block(...request) }));
      const { text, reset } = await agent.answer();
      if (code) t.match(text, `"code":"${code}"`, name);
      else t.ok(/"code":"(header|target|tunnel)_\w+"/.test(text) || reset > 0, name);
      agent.socket.destroy();
    }
    t.ok(sidecar.calls.length === 1, 'only the first became a call');
  },
);

t.test('a stream for another authority than its connection is 421, and the connection goes on', async (t) => {
  const place = { scheme: 'http', host: 'a.test', port: 80, origin: 'http://a.test' } as const;
  const sidecar = await startSidecar(t, { tunnel: { place }, decide: () => 'policy_denied' });
  const agent = startAgent(t, sidecar.http2Port);
  const to = (authority: string) => fields('GET', '/').with(5, authority);
  const other = await call(agent, to('b.test'));
  t.equal(other.status, 421);
  t.equal(JSON.parse(other.body).code, 'authority_misdirected');
  t.match(await call(agent, to('a.test')), { status: 403, reset: 0 });
});

t.test('a body that cannot fit is refused before its head', async (t) => {
  const port = await startOrigin(t, (_request, response) => response.end('x'.repeat(100)));
  const sidecar = await startBefore(t, port, 'h1', { lease: (lease) => lease.limit({ responseBytes: 99 }) });
  const heard = await call(startAgent(t, sidecar.http2Port), fields('GET', '/'));
  t.match(heard, { status: 403, body: /"code":"lease_response_bytes"/ });
  await sidecar.finished(1);
  t.match(lastEnded(sidecar), {
    ended: 'cut',
    by: 'lease_response_bytes',
    answered: false,
    response: { bytes: 0 },
  });
});

t.test('announced trailers pass in chunks to HTTP/1.1, others and forged ones do not', async (t) => {
  const trailers = 'x-sum: 1\r\nx-more: 2\r\nwrit-decision: deny\r\n';
  const { port } = await startRaw(t, (socket) =>
    socket.once('data', () =>
      socket.write(
        `HTTP/1.1 200 OK\r\ntrailer: x-sum, writ-decision\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n${trailers}\r\n`,
      ),
    ),
  );
  const sidecar = await startSidecar(t, { allow: [`127.0.0.1:${port}`] });
  const head = `GET http://127.0.0.1:${port}/ HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: close\r\n\r\n`;
  const heard = await exchangeRaw(sidecar.port, head);
  t.match(heard, /\r\ntrailer: x-sum\r\n/i);
  t.match(heard, /\r\n2\r\nok\r\n0\r\nx-sum: 1\r\n\r\n$/);
  await sidecar.finished(1);
  t.same(lastEnded(sidecar).response.trailers, digestsOf([['x-sum', '1']]), 'on record is what passed');
});

t.test('trailers that are not passed on are not on record, and leave no trace in it', async (t) => {
  const { port } = await startHttp2Origin(t, (stream) => {
    stream.respond([':status', '200', 'grpc-status', '1'], { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'x-sum': '1', 'grpc-status': '0' }));
    stream.end('answer');
  });
  const sidecar = await startSidecar(t, {
    allow: [`127.0.0.1:${port}`],
    settings: { choose: () => 'h2' },
  });
  const head = `GET http://127.0.0.1:${port}/ HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: close\r\n\r\n`;
  t.match(await exchangeRaw(sidecar.port, head), /\r\n0\r\n\r\n$/, 'nobody announced them to HTTP/1.1');
  await sidecar.finished(1);
  const { request, response, ...ended } = lastEnded(sidecar);
  for (const way of [request, response]) t.same(Object.keys(way), ['bytes', 'sha256', 'sha3_512']);
  t.notOk('grpc_status' in ended, 'a call that is not gRPC has no such status');
});

t.test('aborted streams leave nothing behind', async (t) => {
  for (const choice of ['h1', 'h2'] as const) {
    let arrived = 0;
    const { port: h2, sessions } = await startHttp2Origin(t, (stream) => {
      arrived += 1;
      stream.respond([':status', '200', 'content-type', 'text/event-stream']);
      stream.write('data: 1\n\n');
    });
    const { port: h1, sockets } = await startRaw(t, (socket) =>
      socket.once('data', () => {
        arrived += 1;
        socket.write('HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\ndata: 1\n\n');
      }),
    );
    const sidecar = await startBefore(t, choice === 'h1' ? h1 : h2, choice);
    for (let round = 1; round <= 10; round++) {
      const agent = startAgent(t, sidecar.http2Port);
      const streams = Array.from({ length: 100 }, () => agent.request(fields('GET', '/')));
      for (const stream of streams) stream.on('error', () => undefined).on('response', () => stream.close(8));
      await sidecar.finished(100 * round);
      agent.destroy();
    }
    while (sockets.size + sessions() > 0) await new Promise(setImmediate);
    t.equal(arrived, 1000, choice);
    t.ok(
      sidecar.ended.every(({ ended }) => ended === 'client-abort'),
      choice,
    );
    t.equal(sidecar.upstream.idle, 0, choice);
  }
});

t.test(
  'what is spoken in the clear without asking: HTTP/2 where gRPC needs it, or the operator says so',
  async (t) => {
    const begun: string[] = [];
    const { port } = await startRaw(t, (socket) => {
      socket.once('data', (bytes) => {
        begun.push(bytes.toString('latin1', 0, 4));
        socket.destroy();
      });
    });
    const routes = [{ upstream: `http://127.0.0.1:${port}` }];
    for (const [choice, type, first] of [
      ['auto', 'application/grpc', 'PRI '],
      ['auto', 'application/grpc+proto', 'PRI '],
      ['auto', 'application/grpc-web', 'POST'],
      ['auto', 'text/plain', 'POST'],
      ['h1', 'application/grpc', 'POST'],
      ['h2', 'text/plain', 'PRI '],
    ] as const) {
      const sidecar = await startSidecar(t, {
        carrier: 'reverse',
        routes,
        settings: { choose: () => choice },
      });
      await call(startAgent(t, sidecar.port), fields('POST', '/', 'content-type', type), 'body');
      t.equal(begun.pop(), first, `${choice}, ${type}`);
    }
    const sidecar = await startSidecar(t, { carrier: 'reverse', routes });
    const lines = ['POST / HTTP/1.1', 'Host: a', 'Content-Type: application/grpc', 'Content-Length: 0'];
    await exchangeRaw(sidecar.port, [...lines, 'Connection: close', '', ''].join('\r\n'));
    t.equal(begun.pop(), 'POST', 'an agent on HTTP/1.1');
  },
);
