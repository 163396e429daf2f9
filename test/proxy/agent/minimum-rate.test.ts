/** A byte every now and then holds no call for long, in neither direction; what is quiet by nature is not meant. */
import type { ServerResponse } from 'node:http';
import type { ClientHttp2Stream, ServerHttp2Stream } from 'node:http2';
import t from 'tap';
import type { Test } from 'tap';
import { MinimumRate } from '../../../src/proxy/agent/minimum-rate.ts';
import { fields, hear, startAgent, startHttp2Origin } from '../http2-client.ts';
import { block, END_HEADERS, END_STREAM, frame, FrameAgent, TYPE } from '../http2-frames.ts';
import { RawAgent, startOrigin, startSidecar } from '../small-gate.ts';
import type { Plan, Sidecar } from '../small-gate.ts';

const PACE = { bytesPerSecond: 1000, graceMs: 500 };
const DRIP_MS = 50;

interface Stage {
  readonly sidecar: Sidecar;
  readonly url: string;
  /** Calls to `/late`. */
  readonly late: ServerResponse[];
}

/** An origin: `/late` answers when it is told to, `/endless` without an end, everything else once the request is whole. */
async function stage(t: Test, agentMs = 60_000): Promise<Stage> {
  const late: ServerResponse[] = [];
  const port = await startOrigin(t, (request, response) => {
    const pump = (): void => void (response.write(Buffer.alloc(65_536)) ? setImmediate(pump) : response.once('drain', pump)); // prettier-ignore
    if (request.url === '/late') late.push(response);
    else if (request.url === '/endless') pump();
    else request.resume().on('end', () => response.end('whole'));
  });
  const url = `http://127.0.0.1:${port}`;
  const sidecar = await startSidecar(t, {
    ...{ routes: [{ upstream: url }], allow: [`127.0.0.1:${port}`] },
    settings: { agentMs, minimumRate: PACE },
  });
  return { sidecar, url, late };
}

/** An agent of HTTP/1.1 that has said this much of a request. */
function begin(t: Test, { sidecar, url }: Stage, path: string, ...lines: string[]): RawAgent {
  const agent = new RawAgent(sidecar.port);
  agent.socket.write([`POST ${url}${path} HTTP/1.1`, `Host: ${new URL(url).host}`, ...lines, '', ''].join('\r\n')); // prettier-ignore
  t.teardown(() => agent.socket.destroy());
  return agent;
}

/** Writes this so often, until the test is over or wants to know how much that was. */
function drip(t: Test, to: { write(bytes: string): unknown }, bytes: string): () => number {
  let written = 0;
  const timer = setInterval(() => {
    to.write(bytes);
    written += bytes.length;
  }, DRIP_MS);
  t.teardown(() => clearInterval(timer));
  return () => (clearInterval(timer), written);
}

function post(t: Test, { sidecar }: Pick<Stage, 'sidecar'>, ...headers: string[]): ClientHttp2Stream {
  return startAgent(t, sidecar.http2Port).request(fields('POST', '/', ...headers), { endStream: false });
}

/** Until so many calls have come, one of them to `/late`. */
async function under({ sidecar, late }: Stage, calls: number): Promise<void> {
  while (late.length === 0 || sidecar.calls.length < calls) await new Promise(setImmediate);
}

/** These two are cut for being slow, and none of those that came before. */
async function onlyCut(
  t: Test,
  { sidecar }: Stage,
  { slow, stream }: { slow: RawAgent; stream: ClientHttp2Stream },
): Promise<void> {
  t.match(await hear(stream), { status: 403, body: /content_timeout/ });
  await slow.hears('content_timeout');
  await sidecar.finished(2);
  for (const ended of sidecar.ended) t.match(ended, { ended: 'cut', by: 'content_timeout', answered: false });
  t.equal(sidecar.ended.length, 2, 'no other one has ended, though all came before');
}

/** Those whose bodies are whole by now are answered, `messages` once it ends, `waiting` by `/late`. */
async function allAnswered(
  t: Test,
  { late }: Stage,
  { waiting, messages, whole }: { waiting: RawAgent; messages: ClientHttp2Stream; whole: RawAgent[] },
): Promise<void> {
  late[0]?.end('the answer');
  await Promise.all([waiting.hears('the answer'), ...whole.map((agent) => agent.hears('whole'))]);
  const heard = hear(messages);
  messages.end();
  t.match(await heard, { status: 200 });
}

t.test('a body of declared length that drips is cut, and others are not', async (t) => {
  const on = await stage(t);
  const chunked = begin(t, on, '/', 'Transfer-Encoding: chunked');
  const stopChunks = drip(t, chunked.socket, '1\r\nx\r\n');
  const messages = post(t, on); // as gRPC sends them
  messages.write('x');
  const steady = begin(t, on, '/', 'Content-Length: 1000000');
  const stopSteady = drip(t, steady.socket, 'x'.repeat(500));
  const waiting = begin(t, on, '/late', 'Content-Length: 5');
  waiting.socket.write('whole');
  await under(on, 4);

  const slow = begin(t, on, '/', 'Content-Length: 100000');
  drip(t, slow.socket, 'x');
  const stream = post(t, on, 'content-length', '100000');
  drip(t, stream, 'x');
  await onlyCut(t, on, { slow, stream });

  steady.socket.write('x'.repeat(1_000_000 - stopSteady()));
  stopChunks();
  chunked.socket.write('0\r\n\r\n');
  await allAnswered(t, on, { waiting, messages, whole: [steady, chunked] });
});

t.test('so is one of unknown length, unless it says to be a stream', async (t) => {
  const on = await stage(t, 700);
  const chunked = (path: string, type: string): RawAgent =>
    begin(t, on, path, 'Transfer-Encoding: chunked', `Content-Type: ${type}`);
  const events = chunked('/', 'application/x-ndjson; charset=utf-8');
  const stopEvents = drip(t, events.socket, '1\r\nx\r\n');
  const messages = post(t, on, 'content-type', 'application/connect+proto');
  const stopMessages = drip(t, messages, 'x');
  const steady = chunked('/', 'text/plain');
  const stopSteady = drip(t, steady.socket, `64\r\n${'x'.repeat(100)}\r\n`);
  const waiting = chunked('/late', 'text/plain');
  waiting.socket.write('5\r\nwhole\r\n0\r\n\r\n');
  await under(on, 4);

  const slow = chunked('/', 'text/plain');
  drip(t, slow.socket, '1\r\nx\r\n');
  const stream = post(t, on);
  drip(t, stream, 'x');
  await onlyCut(t, on, { slow, stream });

  for (const stop of [stopEvents, stopSteady, stopMessages]) stop();
  for (const { socket } of [events, steady]) socket.write('0\r\n\r\n');
  await allAnswered(t, on, { waiting, messages, whole: [steady, events] });
});

/** A sidecar before an upstream that opens no window for a body, which it has learnt by an earlier call. */
async function beforeClosedWindow(t: Test, settings: Plan['settings']): Promise<Sidecar> {
  const noWindow = { initialWindowSize: 0 };
  const { port } = await startHttp2Origin(t, (stream, request) => request[1] === 'GET' && stream.respond({}, { endStream: true }), noWindow); // prettier-ignore
  const sidecar = await startSidecar(t, {
    routes: [{ upstream: `http://127.0.0.1:${port}` }],
    settings: { ...settings, choose: () => 'h2' },
  });
  t.match(await hear(startAgent(t, sidecar.http2Port).request(fields('GET', '/'))), { status: 200 });
  return sidecar;
}

t.test('an upstream that takes no more of a body that is whole is the one to blame', async (t) => {
  const stream = post(t, { sidecar: await beforeClosedWindow(t, { agentMs: 60_000, headMs: 1500 }) });
  stream.end('body');
  t.match(await hear(stream), { status: 504, body: /urn:writ:upstream:head_timeout/ });
});

t.test('so is one that takes nothing of what came, while its agent waits to say more', async (t) => {
  const sidecar = await beforeClosedWindow(t, { agentMs: 500, headMs: 60_000 });
  const stream = post(t, { sidecar }, 'content-length', '1000000');
  stream.write(Buffer.alloc(65_536)); // as much as node:http2 takes, and not a byte that waits behind it
  t.match(await hear(stream), { status: 504, body: /urn:writ:upstream:head_timeout/ });
});

t.test('a body that its upstream does not take is not slow', async (t) => {
  const streams: ServerHttp2Stream[] = [];
  const { port } = await startHttp2Origin(t, (stream) => streams.push(stream.pause()));
  const sidecar = await startSidecar(t, {
    routes: [{ upstream: `http://127.0.0.1:${port}` }],
    settings: { agentMs: 60_000, minimumRate: { ...PACE, bytesPerSecond: 10_000_000 }, choose: () => 'h2' },
  });
  const patient = post(t, { sidecar }, 'content-length', '1000000');
  patient.on('error', () => undefined).write(Buffer.alloc(1_000_000)); // more than there is room for on the way
  while (streams.length === 0) await new Promise(setImmediate);
  const slow = post(t, { sidecar }, 'content-length', '1000000');
  slow.write('x');
  t.match(await hear(slow), { status: 403, body: /content_timeout/ });
  t.equal(sidecar.ended.length, 1, 'the other one came before');
});

t.test('what came before buys only so much time', (t) => {
  const minimumRate = new MinimumRate({ bytesPerSecond: 100, graceMs: 500 }, 2000);
  minimumRate.wait(0);
  t.equal(minimumRate.left(400), 100);
  minimumRate.take(10, 400);
  t.equal(minimumRate.left(9000), 200, 'nobody waits');
  minimumRate.take(1_000_000, 9000);
  minimumRate.wait(9000);
  minimumRate.wait(10_000);
  t.equal(minimumRate.left(10_500), 500);
  t.equal(minimumRate.left(11_001), -1);
  t.end();
});

t.test('an agent that opens its window byte by byte is cut', async (t) => {
  const { sidecar } = await stage(t, 500);
  const agent = new FrameAgent(sidecar.http2Port);
  const noWindow = Buffer.from([0, 4, 0, 0, 0, 0]); // SETTINGS_INITIAL_WINDOW_SIZE
  const request = block(...fields('GET', '/endless'));
  agent.socket.write(frame(TYPE.SETTINGS, 0, { payload: noWindow }));
  agent.socket.write(frame(TYPE.HEADERS, END_HEADERS | END_STREAM, { stream: 1, payload: request }));
  const open = frame(TYPE.WINDOW_UPDATE, 0, { stream: 1, payload: Buffer.from([0, 0, 0, 1]) });
  drip(t, { write: () => agent.socket.write(open) }, 'x');
  const { text, reset } = await agent.answer();
  t.equal(reset, 8, 'cancelled');
  t.ok(text.length > 1, 'it took some');
  t.match(sidecar.ended, [{ ended: 'cut', by: 'agent_idle' }]);
  agent.socket.destroy();
});
