import { createHash, randomBytes } from 'node:crypto';
import { request } from 'node:http';
import type { IncomingHttpHeaders } from 'node:http';
import t from 'tap';
import { startDemoUpstream } from '../../src/demo/upstream.ts';
import { lastEnded, startOrigin, startSidecar } from './small-gate.ts';

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

function call(
  port: number,
  target: string,
  given: { method?: string; body?: Buffer; headers?: Record<string, string> } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const { method = 'GET', body, headers = {} } = given;
    const host = target.startsWith('http') ? new URL(target).host : `127.0.0.1:${port}`;
    const sent = request({
      port,
      host: '127.0.0.1',
      method,
      path: target,
      headers: { host, ...headers },
      agent: false,
    });
    sent.on('error', reject).on('response', (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk)).on('error', reject);
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) }),
      );
    });
    sent.end(body);
  });
}

const sha = (name: string, data: Uint8Array): string => createHash(name).update(data).digest('hex');

t.test('a permitted GET is forwarded, answered and recorded with its digests', async (t) => {
  const demo = await startDemoUpstream(0);
  t.teardown(() => demo.close());
  const sidecar = await startSidecar(t, { allow: [`127.0.0.1:${demo.port}`] });
  const answer = await call(sidecar.port, `http://127.0.0.1:${demo.port}/hello`);
  t.equal(answer.status, 200);
  t.same(JSON.parse(answer.body.toString()), { message: 'Hello from the demo upstream.' });
  t.equal(answer.headers['writ-decision'], `permit; id="${sidecar.calls[0]?.id}"; entry=7`);
  await sidecar.finished(1);
  const empty = Buffer.alloc(0);
  const { duration_ms, ...ended } = lastEnded(sidecar);
  t.ok(Number.isSafeInteger(duration_ms));
  t.same(ended, {
    dialled: `127.0.0.1:${demo.port}`,
    status: 200,
    request: { bytes: 0, sha256: sha('sha256', empty), sha3_512: sha('sha3-512', empty) },
    response: {
      bytes: answer.body.length,
      sha256: sha('sha256', answer.body),
      sha3_512: sha('sha3-512', answer.body),
    },
    ended: 'complete',
    answered: true,
  });
});

t.test('a body goes up and comes back unchanged, whatever its framing', async (t) => {
  const demo = await startDemoUpstream(0);
  t.teardown(() => demo.close());
  const sidecar = await startSidecar(t, { allow: [`127.0.0.1:${demo.port}`] });
  const target = `http://127.0.0.1:${demo.port}/echo`;
  let count = 0;
  for (const size of [0, 1, 1000, 70_000, 3_000_000])
    for (const headers of [{ 'transfer-encoding': 'chunked' }, { 'content-length': String(size) }]) {
      const body = randomBytes(size);
      const answer = await call(sidecar.port, target, { method: 'POST', body, headers: { ...headers } });
      t.equal(answer.status, 200);
      t.ok(answer.body.equals(body), `${size} bytes came back`);
      await sidecar.finished(++count);
      const { request: up, response: down } = lastEnded(sidecar);
      const digests = { bytes: size, sha256: sha('sha256', body), sha3_512: sha('sha3-512', body) };
      t.same(up, digests);
      t.same(down, digests);
    }
});

t.test('a bound body is read first and sent as it was read', async (t) => {
  const demo = await startDemoUpstream(0);
  t.teardown(() => demo.close());
  const sidecar = await startSidecar(t, { allow: [`127.0.0.1:${demo.port}`], bind: 1000 });
  const target = `http://127.0.0.1:${demo.port}/echo`;
  const body = randomBytes(1000);
  const answer = await call(sidecar.port, target, {
    method: 'POST',
    body,
    headers: { 'transfer-encoding': 'chunked' },
  });
  t.ok(answer.body.equals(body));
  t.equal(sidecar.ended[0]?.request.sha256, sha('sha256', body));
  const refused = await call(sidecar.port, target, { method: 'POST', body: randomBytes(1001) });
  t.equal(refused.status, 403);
  t.equal(JSON.parse(refused.body.toString()).code, 'scope_content');
  t.equal(demo.served(), 1);
});

t.test('a denial is a problem document with our headers, and nothing is forwarded', async (t) => {
  const demo = await startDemoUpstream(0);
  t.teardown(() => demo.close());
  const sidecar = await startSidecar(t, { allow: [`127.0.0.1:${demo.port}`], decide: () => 'grant_expired' });
  const answer = await call(sidecar.port, `http://127.0.0.1:${demo.port}/hello`);
  t.equal(answer.status, 403);
  const problem = JSON.parse(answer.body.toString());
  t.equal(problem.type, 'urn:writ:denial:grant_expired');
  t.match(answer.headers, {
    'content-type': 'application/problem+json',
    'cache-control': 'no-store',
    'proxy-status': 'writ; error=http_request_denied; details="grant_expired"',
    'writ-decision': `deny; id="${problem.instance.slice(9)}"; code=grant_expired`,
    'content-length': String(answer.body.length),
  });
  const head = await call(sidecar.port, `http://127.0.0.1:${demo.port}/hello`, { method: 'HEAD' });
  t.equal(head.status, 403);
  t.equal(head.body.length, 0);
  t.ok(Number(head.headers['content-length']) > 100);
  t.equal(demo.served(), 0);
});

t.test('the reverse port forwards to the upstream of its route', async (t) => {
  const seen: (string | undefined)[] = [];
  const port = await startOrigin(t, (request, response) => {
    seen.push(`${request.method} ${request.url} ${request.headers.host}`);
    response.end('ok');
  });
  const routes = [{ prefix: '/api', upstream: `http://localhost:${port}` }];
  const sidecar = await startSidecar(t, { carrier: 'reverse', routes });
  t.equal((await call(sidecar.port, '/api/things?x=1')).status, 200);
  t.equal((await call(sidecar.port, '/other')).status, 403);
  t.same(seen, [`GET /things?x=1 localhost:${port}`]);
});

t.test('a body goes up with the framing that it came with', async (t) => {
  const framings: unknown[] = [];
  const port = await startOrigin(t, (incoming, response) => {
    const { 'content-length': length, 'transfer-encoding': coding } = incoming.headers;
    framings.push([incoming.method, length, coding]);
    incoming.resume().on('end', () => response.end());
  });
  const sidecar = await startSidecar(t, { allow: [`127.0.0.1:${port}`] });
  const body = Buffer.from('four');
  const chunked = { 'transfer-encoding': 'chunked' };
  const counted = { 'content-length': '4' };
  const target = `http://127.0.0.1:${port}/`;
  for (const method of ['POST', 'GET', 'DELETE'])
    for (const headers of [chunked, counted]) await call(sidecar.port, target, { method, body, headers });
  await call(sidecar.port, target, { method: 'POST', headers: { 'content-length': '0' } });
  await call(sidecar.port, target);
  t.same(framings, [
    ['POST', undefined, 'chunked'],
    ['POST', '4', undefined],
    ['GET', undefined, 'chunked'],
    ['GET', '4', undefined],
    ['DELETE', undefined, 'chunked'],
    ['DELETE', '4', undefined],
    ['POST', '0', undefined],
    ['GET', undefined, undefined],
  ]);
});

t.test('407 asks for proxy credentials', async (t) => {
  const sidecar = await startSidecar(t, { decide: () => 'grant_missing', status: 407 });
  const answer = await call(sidecar.port, 'http://127.0.0.1:1/');
  t.equal(answer.status, 407);
  t.equal(answer.headers['proxy-authenticate'], 'Basic realm="writ"');
});
