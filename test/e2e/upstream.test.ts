/** An upstream that fails is no denial: 502 or 504, or a body without its end, and an outcome on record. */
import type { Socket } from 'node:net';
import t from 'tap';
import type { Test } from 'tap';
import { RawAgent, startRaw } from '../proxy/small-gate.ts';
import { serve } from './child-sidecar.ts';
import { Stage } from './denial-rows.ts';
import type { Recorded } from './home.ts';
import { startOrigin } from './origin.ts';
import type { Origin } from './origin.ts';
import { exchange, readReply } from './wire.ts';
import type { Reply } from './wire.ts';

/** What a raw upstream does with a request that it has heard; the path picks one. */
const manners: Readonly<Record<string, (socket: Socket) => unknown>> = {
  '/reset': (socket) => socket.resetAndDestroy(),
  '/closes': (socket) => socket.end(),
  '/nonsense': (socket) => socket.end('SSH-2.0-nothing\r\n'),
  '/half-a-head': (socket) => socket.end('HTTP/1.1 200 OK\r\nContent-'),
  '/two-lengths': (socket) => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx'),
  '/switches': (socket) => socket.end('HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n'),
  '/silent': () => undefined,
  '/half': (socket) => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\npart'),
  '/half-chunked': (socket) => socket.end('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npart\r\n'),
  '/reset-later': (socket) => {
    socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npart\r\n', () => socket.resetAndDestroy());
  },
  '/falls-silent': (socket) => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\npart'),
}; // prettier-ignore

const IMPATIENT = { upstream: { head_timeout_ms: 300, idle_timeout_ms: 300 } };

async function rawStage(t: Test): Promise<Stage> {
  const { port } = await startRaw(t, (socket) => {
    socket.on('data', (data: Buffer) => {
      const path = /^GET (\S+)/.exec(data.toString('latin1'))?.[1] ?? '';
      manners[path]?.(socket);
    });
  });
  const origin = { port, url: `http://127.0.0.1:${port}` } as Origin; // a stage needs no more of it here
  const settings = { upstream: { ...IMPATIENT.upstream, allow: [`127.0.0.1:${port}`, '127.0.0.1:1'] } };
  return new Stage(await serve(t, { origins: [origin], settings }), origin);
}

/** Permit and outcome of an answer that is none of ours to refuse. */
async function assertFailed(t: Test, { sidecar }: Stage, reply: Reply): Promise<Recorded> {
  const permit = Number(/^permit; id="[^"]+"; entry=(\d+)$/.exec(reply.headers['writ-decision'] ?? '')?.[1]);
  t.match(sidecar.home.entries(permit)[0], { type: 'decision', is: { verdict: 'permit' } });
  const outcome = await sidecar.home.outcome(permit);
  t.match(outcome.is, { ended: 'upstream-error' });
  return outcome;
}

/** Resolves when a connection is gone, however it went. */
function closing(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.once('close', () => resolve()));
}

t.test('before the head', async (t) => {
  const rows: [path: string, status: number, type: string, error: string][] = [
    ['/reset', 502, 'connection_lost', 'connection_terminated'],
    ['/closes', 502, 'connection_lost', 'connection_terminated'],
    ['/nonsense', 502, 'response_malformed', 'http_protocol_error'],
    ['/half-a-head', 502, 'connection_lost', 'connection_terminated'],
    ['/two-lengths', 502, 'response_malformed', 'http_protocol_error'],
    ['/switches', 502, 'response_malformed', 'http_protocol_error'],
    ['/silent', 504, 'head_timeout', 'http_response_timeout'],
  ];
  const on = await rawStage(t);
  const refused = {
    target: 'http://127.0.0.1:1/a',
    grant: on.grant({ entry: { locations: ['http://127.0.0.1:1'] } }),
  };
  const all = [
    ...rows.map(([path, ...expected]) => ({ name: path, fault: { path }, expected })),
    { name: 'refused', fault: refused, expected: [502, 'connect_failed', 'connection_refused'] as const },
  ];
  for (const { name, fault, expected } of all) {
    const [status, type, error] = expected;
    const reply = await on.forward(fault);
    t.equal(reply.status, status, name);
    t.equal((JSON.parse(reply.body) as { type: string }).type, `urn:writ:upstream:${type}`, name);
    t.equal(reply.headers['proxy-status'], `writ; error=${error}`, name);
    t.equal(reply.headers['content-type'], 'application/problem+json');
    const { is } = await assertFailed(t, on, reply);
    t.notOk('status' in is, 'no status came');
    t.equal('dialled' in is, name !== 'refused', 'what was dialled is on record');
  }
});

t.test('after the head', async (t) => {
  const on = await rawStage(t);
  for (const path of ['/half', '/half-chunked', '/reset-later', '/falls-silent']) {
    const agent = new RawAgent(on.sidecar.port('forward'));
    agent.socket.write(on.bytes({ path }));
    await agent.closed();
    const reply = readReply(agent.heard, true);
    t.equal(reply?.status, 200, path);
    t.match(reply?.body, /^(4\r\n)?part(\r\n)?$/, 'the body lacks its end');
    if (reply) t.match(await assertFailed(t, on, reply), { is: { status: 200, response: { bytes: 4 } } });
  }
});

t.test('an agent that goes away closes its upstream, and that is on record', async (t) => {
  const origin = await startOrigin(t, (request, response) => {
    if (request.url === '/a') response.end();
    if (request.url === '/stream') response.write('part');
  });
  const on = new Stage(await serve(t, { origins: [origin] }), origin);
  const rows: [path: string, begun: boolean][] = [
    ['/silent', false],
    ['/stream', true],
  ];
  for (const [path, begun] of rows) {
    const agent = new RawAgent(on.sidecar.port('forward'));
    agent.socket.write(on.bytes({ path }));
    const { request } = await origin.next();
    if (begun) await agent.hears('part');
    const closed = closing(request.socket);
    agent.socket.destroy();
    await closed;
    const outcome = await on.sidecar.home.entry(({ type, is }) => type === 'outcome' && is['ended'] === 'client-abort' && 'status' in is === begun);
    t.match(outcome.is, { dialled: `127.0.0.1:${origin.port}` }, path);
  }
  t.match(await on.forward(), { status: 200 }, 'others go on');
}); // prettier-ignore

t.test('an agent that goes away in the middle of its upload', async (t) => {
  const origin = await startOrigin(t, (request) => void request.resume());
  const on = new Stage(await serve(t, { origins: [origin] }), origin);
  const agent = new RawAgent(on.sidecar.port('forward'));
  agent.socket.write(on.bytes({ method: 'POST', lines: ['Content-Length: 1000'], body: 'part' }));
  const { request } = await origin.next();
  const closed = closing(request.socket);
  agent.socket.destroy();
  await closed;
  t.equal(request.complete, false, 'the origin cannot take it for the whole');
  const outcome = await on.sidecar.home.entry(({ type }) => type === 'outcome');
  t.match(outcome.is, { ended: 'client-abort', request: { bytes: 4 } });
});

t.test('an upstream that answers early does not wait for the rest', async (t) => {
  const origin = await startOrigin(t, (_request, response) => void response.writeHead(413).end('too much'));
  const on = new Stage(await serve(t, { origins: [origin] }), origin);
  const reply = await exchange(
    on.sidecar.port('forward'),
    on.bytes({ method: 'POST', lines: ['Content-Length: 1000000'], body: 'part' }),
  );
  t.match(reply, { status: 413, body: /too much/ });
});
