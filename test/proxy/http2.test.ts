/** Calls over HTTP/2, on either side and on both. */
import t from 'tap';
import { call, fields, hear, startAgent, startHttp2Origin, valueOf } from './http2-client.ts';
import { lastEnded, startOrigin, startSidecar } from './small-gate.ts';
import type { Plan, Teardown } from './small-gate.ts';

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
  t.match(lastEnded(sidecar), { ended: 'complete', request: { bytes: 8 }, response: { bytes: 6 } });
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
