/** An agent that neither sends nor takes anything holds its call only so long; who waits for the upstream is not meant. */
import { once } from 'node:events';
import { connect } from 'node:http2';
import type { ServerResponse } from 'node:http';
import t from 'tap';
import type { Test } from 'tap';
import { AgentTimeouts } from '../../../src/proxy/agent/agent-timeouts.ts';
import { fields, hear, startAgent, startHttp2Origin } from '../http2-client.ts';
import { clock, lastEnded, RawAgent, startOrigin, startSidecar } from '../small-gate.ts';
import type { Sidecar } from '../small-gate.ts';

const AGENT_MS = 300;
const BATCH = 30;
const PIECE = Buffer.alloc(256 * 1024, 'x');

/** An origin: `/endless` answers without an end, `/short` with two bytes, `/part` begins, `/silent` says nothing. */
async function stage(t: Test): Promise<{ sidecar: Sidecar; url: string; parts: ServerResponse[] }> {
  const parts: ServerResponse[] = [];
  const port = await startOrigin(t, ({ url = '' }, response) => {
    const pump = (): void => void (response.write(PIECE) ? setImmediate(pump) : response.once('drain', pump));
    if (url === '/endless') pump();
    if (url === '/short') response.end('ok');
    if (url === '/part') parts.push((response.write('part'), response));
  });
  const url = `http://127.0.0.1:${port}`;
  const sidecar = await startSidecar(t, {
    ...{ routes: [{ upstream: url }], allow: [`127.0.0.1:${port}`] },
    settings: { agentMs: AGENT_MS },
  });
  return { sidecar, url, parts };
} // prettier-ignore

const head = (method: string, url: string, ...lines: string[]): string =>
  [`${method} ${url} HTTP/1.1`, `Host: ${new URL(url).host}`, ...lines, '', ''].join('\r\n');

t.test('one that reads nothing is cut, while one that waits is served', async (t) => {
  const { sidecar, url, parts } = await stage(t);
  const waits = new RawAgent(sidecar.port);
  waits.socket.write(head('GET', `${url}/part`));
  await waits.hears('part');
  const deaf = new RawAgent(sidecar.port);
  deaf.socket.write(head('GET', `${url}/endless`));
  await deaf.hears('\r\n\r\n');
  deaf.socket.pause();
  await sidecar.finished(1);
  t.match(lastEnded(sidecar), { ended: 'cut', by: 'agent_idle', status: 200 });
  parts[0]?.end('the end');
  await waits.hears('the end');
  for (const { socket } of [waits, deaf]) socket.destroy();
});

t.test('so is a stream', async (t) => {
  const { sidecar } = await stage(t);
  const agent = startAgent(t, sidecar.http2Port);
  const deaf = agent.request(fields('GET', '/endless')).on('error', () => undefined);
  await once(deaf, 'response');
  await sidecar.finished(1);
  t.match(lastEnded(sidecar), { ended: 'cut', by: 'agent_idle', status: 200 });
  t.match(await hear(agent.request(fields('GET', '/short'))), { body: 'ok' }, 'the others go on');
});

t.test('a stream whose agent opens no window for the last bytes is cut as well', async (t) => {
  const { sidecar } = await stage(t);
  const agent = connect(`http://127.0.0.1:${sidecar.http2Port}`, { settings: { initialWindowSize: 0 } });
  t.teardown(() => agent.destroy());
  agent.on('error', () => undefined).request(fields('GET', '/short')).on('error', () => undefined); // prettier-ignore
  await sidecar.finished(1);
  t.match(lastEnded(sidecar), { ended: 'cut', by: 'agent_idle', status: 200 });
});

t.test(
  'a denial that no window is opened for is kept only so long, and counts as a stream as long',
  async (t) => {
    const sidecar = await startSidecar(t, {
      ...{ decide: () => 'policy_denied', maxStreams: 1, routes: [{ upstream: 'http://a.test' }] },
      settings: { agentMs: AGENT_MS },
    });
    const agent = connect(`http://127.0.0.1:${sidecar.http2Port}`, { settings: { initialWindowSize: 0 } });
    t.teardown(() => agent.destroy());
    agent.on('error', () => undefined);
    const ask = () => agent.request(fields('GET', '/')).on('error', () => undefined);
    const deaf = [ask(), ask()];
    await Promise.all(deaf.map((stream) => once(stream, 'response')));
    t.match(await hear(ask()), { reset: 7 }, 'refused: both are still there');
    for (const stream of deaf) if (!stream.closed) await once(stream, 'close');
    t.strictSame(deaf.map(({ rstCode }) => rstCode), [8, 8], 'cancelled'); // prettier-ignore
    await once(ask(), 'response');
  },
);

t.test('an agent that takes none of its denials loses its connection', async (t) => {
  const decide = (): 'policy_denied' => 'policy_denied';
  const sidecar = await startSidecar(t, { decide, settings: { agentMs: AGENT_MS } });
  const deaf = new RawAgent(sidecar.port);
  deaf.socket.pause();
  const gone = new Promise((resolve) => deaf.socket.once('close', resolve));
  const probe = setInterval(() => deaf.socket.write('\r\n'), 100); // who reads nothing hears of no end either
  const asks = head('GET', 'http://a.test/').repeat(BATCH);
  for (let sent = 0; !deaf.socket.destroyed; await new Promise(setImmediate)) {
    if (sidecar.calls.length < sent) continue; // never so many at once that this closes the connection
    deaf.socket.write(asks);
    sent += BATCH;
  }
  clearInterval(probe);
  await gone;
  t.ok(sidecar.calls.length > BATCH);
});

t.test(
  'a body that stops is cut before it is answered, one that is answered is not waited for',
  async (t) => {
    const { sidecar, url, parts } = await stage(t);
    const chunked = 'Transfer-Encoding: chunked';
    const answered = new RawAgent(sidecar.port);
    answered.socket.write(`${head('POST', `${url}/part`, chunked)}1\r\nx\r\n`);
    await answered.hears('part');
    const stops = new RawAgent(sidecar.port);
    stops.socket.write(`${head('POST', `${url}/silent`, chunked)}1\r\nx\r\n`);
    await stops.hears('agent_idle');
    t.match(lastEnded(sidecar), { ended: 'cut', by: 'agent_idle', answered: false, request: { bytes: 1 } });
    const agent = startAgent(t, sidecar.http2Port);
    const stream = agent.request(fields('POST', '/silent'), { endStream: false });
    stream.write('x');
    t.match(await hear(stream), { status: 403, body: /agent_idle/ });
    parts[0]?.end('the end');
    await answered.hears('the end');
    for (const { socket } of [answered, stops]) socket.destroy();
  },
);

t.test('a body that came whole is never too slow', async (t) => {
  const ends: string[] = [];
  const expect = (name: string): AgentTimeouts => {
    const minimumRate = { bytesPerSecond: 1000, graceMs: 0 };
    const parts = { clock, ms: AGENT_MS, minimumRate };
    const tell = (what: unknown): unknown => ends.push(`${name}: ${String(what)}`);
    const timeouts = new AgentTimeouts({ ...parts, onEnd: tell, onFault: tell });
    timeouts.awaitBody('unknown');
    timeouts.awaitMore();
    return timeouts;
  };
  const [whole, slow] = [expect('whole'), expect('slow')];
  whole.whole();
  while (ends.length === 0) {
    for (const each of [whole, slow]) each.sent(); // what was there goes on
    await new Promise(setImmediate);
  }
  t.strictSame(ends, ['slow: content_timeout']);
  for (const each of [whole, slow]) each.stop();
});

t.test('an upstream that takes no body is the one to blame', async (t) => {
  const { port } = await startHttp2Origin(t, (stream) => stream.pause());
  const sidecar = await startSidecar(t, {
    routes: [{ upstream: `http://127.0.0.1:${port}` }],
    settings: { agentMs: AGENT_MS, choose: () => 'h2' },
  });
  const stream = startAgent(t, sidecar.http2Port).request(fields('POST', '/'), { endStream: false });
  const pump = (): void => void stream.write(PIECE, (failed) => !failed && pump());
  pump();
  t.match(await hear(stream), { status: 504, body: /urn:writ:upstream:head_timeout/ });
  t.match(lastEnded(sidecar), { ended: 'upstream-error' });
});

t.test('nor does an upstream that takes nothing of a body that was held keep its call', async (t) => {
  const { port } = await startHttp2Origin(t, (stream) => stream.pause());
  const sidecar = await startSidecar(t, {
    routes: [{ upstream: `http://127.0.0.1:${port}` }],
    bind: 2 * 1024 * 1024,
    settings: { headMs: AGENT_MS, choose: () => 'h2' },
  });
  const stream = startAgent(t, sidecar.http2Port).request(fields('POST', '/'), { endStream: false });
  stream.end(Buffer.alloc(1024 * 1024));
  t.match(await hear(stream), { status: 504, body: /urn:writ:upstream:head_timeout/ });
});
