/** What an agent on HTTP/2 may ask besides a plain exchange, before an upstream of either version. */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer as createHttp1Server } from 'node:http';
import type { RequestListener } from 'node:http';
import { createServer as createHttp2Server } from 'node:http2';
import type { ClientHttp2Session } from 'node:http2';
import type { AddressInfo } from 'node:net';
import type { Writable } from 'node:stream';
import t from 'tap';
import { call, fields, hear, startAgent, startHttp2Origin, valueOf } from './http2-client.ts';
import { lastEnded, startSidecar } from './small-gate.ts';
import type { Plan, Sidecar, Teardown } from './small-gate.ts';

type Version = 'h1' | 'h2';
const VERSIONS: readonly Version[] = ['h1', 'h2'];
const LARGE = 32 * 1024 * 1024;
const PIECE = 16 * 1024;

/** An agent on HTTP/2, a sidecar, and an upstream of this version. */
async function startStage(
  t: Teardown,
  version: Version,
  answer: RequestListener,
  plan: Plan = {},
): Promise<{ agent: ClientHttp2Session; sidecar: Sidecar }> {
  // node:http2's own request and response can do all that these tests do with those of node:http
  const server = version === 'h1' ? createHttp1Server(answer) : createHttp2Server(answer as never);
  const open = new Set<{ destroy(): unknown }>();
  server.on('connection', (socket: { destroy(): unknown }) => open.add(socket));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => (server.close(), open.forEach((socket) => socket.destroy())));
  const { port } = server.address() as AddressInfo; // it listens on TCP
  const sidecar = await startSidecar(t, {
    routes: [{ upstream: `http://127.0.0.1:${port}` }],
    ...plan,
    settings: { choose: () => version, ...plan.settings },
  });
  return { agent: startAgent(t, sidecar.http2Port), sidecar };
}

t.test('events may come for ever, but silence ends them', async (t) => {
  const idle = 1500;
  const silenced = async (version: Version): Promise<void> => {
    const answer: RequestListener = (_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      let count = 0;
      const ticking = setInterval(() => {
        response.write(`data: ${(count += 1)}\n\n`);
        if (count === 6) clearInterval(ticking);
      }, idle / 5);
    };
    const { agent, sidecar } = await startStage(t, version, answer, { settings: { bodyIdleMs: idle } });
    const heard = await call(agent, fields('GET', '/events'));
    t.match(heard.body, /^(data: \d\n\n){6}$/, 'all that came, in more than the idle time');
    t.not(heard.reset, 0, 'and an end that is recognisably none of the upstream’s');
    await sidecar.finished(1);
    t.match(lastEnded(sidecar), { ended: 'upstream-error', status: 200, why: /./ });
  };
  await Promise.all(VERSIONS.map(silenced));
});

for (const version of VERSIONS) {
  t.test(`100 Continue comes after the permit, and ends at the sidecar (${version})`, async (t) => {
    const seen: (string | undefined)[] = [];
    const { agent } = await startStage(
      t,
      version,
      (request, response) => {
        seen.push(request.headers.expect);
        request.pipe(response);
      },
      { decide: ({ path }) => (path === '/denied' ? 'policy_denied' : undefined) },
    );
    const stream = agent.request(fields('POST', '/', 'expect', '100-continue'), { endStream: false });
    const answer = hear(stream);
    await once(stream, 'continue');
    stream.end('question');
    t.match(await answer, { status: 200, body: 'question', reset: 0 });
    const refused = agent.request(fields('POST', '/denied', 'expect', '100-continue'), { endStream: false });
    t.match(await hear(refused), { status: 403, informational: [] }, 'a denial asks for no body');
    t.strictSame(seen, [undefined]);
  });

  t.test(`103 is passed on with its links only (${version})`, async (t) => {
    const { agent } = await startStage(t, version, (_request, response) => {
      response.writeEarlyHints({ link: '</style.css>; rel=preload', 'x-a': '1' });
      response.end('page');
    });
    const stream = agent.request(fields('GET', '/'));
    const hints: (readonly string[])[] = [];
    stream.on('headers', (_headers, _flags, raw) => hints.push(raw));
    t.match(await hear(stream), { status: 200, informational: [103], body: 'page' });
    t.strictSame(hints, [[':status', '103', 'link', '</style.css>; rel=preload']]);
  });

  t.test(`a range is the upstream's to answer (${version})`, async (t) => {
    const { agent } = await startStage(t, version, ({ headers }, response) => {
      const [, from, to] = /^bytes=(\d)-(\d)$/.exec(headers.range ?? '') ?? [];
      if (from === undefined) return void response.writeHead(416, { 'content-range': 'bytes */10' }).end();
      response.writeHead(206, { 'content-range': `bytes ${from}-${to}/10`, 'accept-ranges': 'bytes' });
      response.end('0123456789'.slice(Number(from), Number(to) + 1));
    });
    const part = await call(agent, fields('GET', '/', 'range', 'bytes=2-4', 'if-range', '"a"'));
    t.match(part, { status: 206, body: '234', reset: 0 });
    t.equal(valueOf(part.headers, 'content-range'), 'bytes 2-4/10');
    t.equal(valueOf(part.headers, 'accept-ranges'), 'bytes');
    t.match(await call(agent, fields('GET', '/', 'range', 'bytes=20-')), { status: 416, body: '', reset: 0 });
  });

  t.test(`a body that is bound is sent as it was read, with its length (${version})`, async (t) => {
    const seen: (string | undefined)[] = [];
    const { agent, sidecar } = await startStage(
      t,
      version,
      (request, response) => {
        seen.push(request.headers['content-length']);
        request.pipe(response);
      },
      { bind: 1000 },
    );
    const body = 'x'.repeat(1000);
    const stream = agent.request(fields('POST', '/'), { endStream: false });
    stream.write(body.slice(0, 400));
    stream.end(body.slice(400));
    t.match(await hear(stream), { status: 200, body, reset: 0 });
    await sidecar.finished(1);
    const sha256 = createHash('sha256').update(body).digest('hex');
    t.match(lastEnded(sidecar), { ended: 'complete', request: { bytes: 1000, sha256 } });
    const long = await call(agent, fields('POST', '/'), `${body}x`);
    t.match(long, { status: 403, body: /"code":"scope_content"/ });
    t.strictSame(seen, ['1000']);
  });

  t.test(`an agent that does not read slows its upstream (${version})`, async (t) => {
    let left = 0;
    const { agent } = await startStage(t, version, (request, response) => {
      if (request.url !== '/large') return void response.end();
      void pour(response, (bytes) => (left = bytes));
    });
    const stream = agent.request(fields('GET', '/large'));
    await once(stream, 'response'); // and no data yet: nothing reads
    await stillness(agent, () => left);
    t.ok(left < LARGE / 2, `${left} of ${LARGE} bytes have left the upstream`);
    t.equal((await hear(stream)).body.length, LARGE, 'all of it once it is read');
  });

  t.test(`an upstream that does not read slows its agent (${version})`, async (t) => {
    let [sent, arrived] = [0, 0];
    let read = (): void => undefined;
    const { agent } = await startStage(t, version, (request, response) => {
      if (request.url !== '/large') return void response.end();
      read = () => {
        request
          .on('data', (chunk: Buffer) => (arrived += chunk.length))
          .on('end', () => response.end('done'));
      };
    });
    const stream = agent.request(fields('POST', '/large'), { endStream: false });
    const answer = hear(stream);
    void pour(stream, (bytes) => (sent = bytes));
    await stillness(agent, () => sent);
    t.ok(sent < LARGE / 2, `${sent} of ${LARGE} bytes have left the agent`);
    read();
    t.match(await answer, { status: 200, body: 'done' });
    t.equal(arrived, LARGE);
  });
}

/** Writes so much as fast as it is taken, and says how much that was so far. */
async function pour(into: Writable, tell: (bytes: number) => void): Promise<void> {
  for (let bytes = PIECE; bytes <= LARGE; bytes += PIECE) {
    tell(bytes);
    if (!into.write(Buffer.alloc(PIECE))) await once(into, 'drain');
  }
  into.end();
}

/** Resolves once a figure has not moved for a while, counted in calls on the same connection, which thus goes on. */
async function stillness(agent: ClientHttp2Session, figure: () => number): Promise<void> {
  let [last, calm] = [figure(), 0];
  while (calm < 50) {
    await call(agent, fields('GET', '/'));
    calm = figure() === last ? calm + 1 : 0;
    last = figure();
  }
}

/** `/silent` is never answered, of `/part` comes a part. */
async function besideSilence(t: Teardown, plan: Plan) {
  const origin = await startHttp2Origin(t, (stream, request) => {
    const path = valueOf(request, ':path');
    if (path === '/silent') return;
    stream.respond({ ':status': 200 });
    if (path === '/part') stream.write('part');
    else stream.end();
  });
  const routes = [{ upstream: `http://127.0.0.1:${origin.port}` }];
  const sidecar = await startSidecar(t, {
    routes,
    ...plan,
    settings: { choose: () => 'h2', ...plan.settings },
  });
  return { agent: startAgent(t, sidecar.http2Port), sessions: origin.sessions };
}

t.test('a connection on which a call met silence takes no further ones', async (t) => {
  const { agent, sessions } = await besideSilence(t, { settings: { headMs: 500 } });
  const streams = agent.request(fields('GET', '/part'));
  await once(streams, 'data');
  t.match(await call(agent, fields('GET', '/silent')), { status: 504, body: /head_timeout/ });
  t.equal(sessions(), 1);
  t.match(await call(agent, fields('GET', '/')), { status: 200 });
  t.equal(sessions(), 2);
  t.notOk(streams.closed, 'what came on it goes on');
});
