/** Open WebSockets: messages of real ends, counted as frames, cut at a frame's border with the right code. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import t from 'tap';
import type { WebSocket } from 'ws';
import type { HeldLease } from '../../../src/gate/lease.ts';
import { lastEnded, startSidecar } from '../small-gate.ts';
import type { Plan, Sidecar, Teardown } from '../small-gate.ts';
import {
  digests,
  frame,
  openRaw,
  openThrough,
  startEcho,
  startTalker,
  SWITCHING,
} from '../websocket-server.ts';
import type { Echo } from '../websocket-server.ts';

const closeOf = async (socket: WebSocket): Promise<number> => ((await once(socket, 'close')) as [number])[0];

/** Both ends of one WebSocket. */
async function openBoth(
  sidecar: Sidecar,
  echo: Echo,
): Promise<readonly [client: WebSocket, server: WebSocket]> {
  const arrival = once(echo.server, 'connection');
  const client = openThrough(sidecar.port, echo.port);
  const [[server]] = (await Promise.all([arrival, once(client, 'open')])) as unknown as [[WebSocket]]; // of ws
  return [client, server];
}

/** Resolves when every connection is closed. */
async function gone(sockets: ReadonlySet<Socket>): Promise<void> {
  await Promise.all([...sockets].map((socket) => once(socket, 'close')));
}

const sidecarTo = (t: Teardown, { port }: { port: number }, plan: Plan = {}): Promise<Sidecar> =>
  startSidecar(t, { allow: [`127.0.0.1:${port}`], ...plan });

t.test('messages of every size go both ways unchanged, compressed or not', async (t) => {
  for (const perMessageDeflate of [false, true]) {
    const echo = await startEcho(t, undefined, { perMessageDeflate });
    const sidecar = await sidecarTo(t, echo);
    const client = openThrough(sidecar.port, echo.port, { perMessageDeflate });
    await once(client, 'open');
    t.equal(client.extensions !== '', perMessageDeflate);
    for (const size of [0, 1, 125, 126, 65_535, 65_536, 3_000_000]) {
      const message = randomBytes(size);
      client.send(message);
      const [data] = (await once(client, 'message')) as [Buffer];
      t.ok(data.equals(message), `${size} bytes`);
    }
    client.ping();
    await once(client, 'pong');
    client.close(4000, 'done');
    t.equal(await closeOf(client), 4000);
    await sidecar.finished(1);
    t.match(lastEnded(sidecar), { ended: 'complete', status: 101, answered: true });
  }
});

t.test('the outcome has the frames of both directions, octet by octet', async (t) => {
  const down = [frame('one'), frame('two'), frame('\x03\xe8', { first: 0x88 })];
  const talker = await startTalker(t, (socket) => {
    socket.write(SWITCHING);
    socket.once('data', () => socket.end(Buffer.concat(down)));
  });
  const sidecar = await sidecarTo(t, talker);
  const agent = await openRaw(sidecar.port, talker.port);
  const up = frame('hello', { masked: true });
  agent.socket.write(up);
  await agent.closed();
  await sidecar.finished(1);
  t.ok(talker.heard().equals(up));
  t.ok(agent.heard.endsWith(Buffer.concat(down).toString('latin1')));
  t.match(lastEnded(sidecar), {
    ended: 'complete',
    request: digests(up),
    response: digests(Buffer.concat(down)),
  });
});

t.test('frames that come with the 101 are not lost', async (t) => {
  const talker = await startTalker(t, SWITCHING + frame('early').toString('latin1'));
  const sidecar = await sidecarTo(t, talker);
  const agent = await openRaw(sidecar.port, talker.port);
  await agent.hears('early');
  agent.socket.destroy();
  await sidecar.finished(1);
  t.match(lastEnded(sidecar), { ended: 'client-abort', response: { bytes: 7 } });
});

t.test('a lease that ends says 1008 to both ends', async (t) => {
  let held: HeldLease | undefined;
  const echo = await startEcho(t);
  const sidecar = await sidecarTo(t, echo, { lease: (lease) => (held = lease) });
  const [client, server] = await openBoth(sidecar, echo);
  const codes = Promise.all([closeOf(client), closeOf(server)]);
  held?.end('lease_expired');
  t.same(await codes, [1008, 1008]);
  await sidecar.finished(1);
  t.match(lastEnded(sidecar), { ended: 'cut', by: 'lease_expired', answered: true });
  await gone(echo.sockets);
});

t.test('byte limits count frames, and nothing past them passes', async (t) => {
  for (const [limits, by] of [
    [{ requestBytes: 20 }, 'lease_request_bytes'],
    [{ responseBytes: 20 }, 'lease_response_bytes'],
  ] as const) {
    const echo = await startEcho(t);
    const sidecar = await sidecarTo(t, echo, { lease: (lease) => lease.limit(limits) });
    const client = openThrough(sidecar.port, echo.port);
    await once(client, 'open');
    const closed = closeOf(client);
    client.send('x'.repeat(8));
    await once(client, 'message');
    client.send('x'.repeat(16));
    t.equal(await closed, 1008);
    await sidecar.finished(1);
    const { request, response, ...ended } = lastEnded(sidecar);
    t.match(ended, { ended: 'cut', by });
    t.ok(request.bytes <= (by === 'lease_request_bytes' ? 20 : 40) && response.bytes <= 20);
  }
});

t.test('a broken frame says 1002 to both ends, and is not passed on', async (t) => {
  const talker = await startTalker(t, SWITCHING);
  const sidecar = await sidecarTo(t, talker);
  const agent = await openRaw(sidecar.port, talker.port);
  const good = frame('good', { masked: true });
  agent.socket.write(Buffer.concat([good, frame('unmasked')]));
  await agent.closed();
  t.ok(agent.heard.endsWith('\x88\x02\x03\xea'), 'the agent');
  await talker.closed;
  t.ok(talker.heard().equals(Buffer.concat([good, Buffer.from('88820000000003ea', 'hex')])));
  await sidecar.finished(1);
  t.match(lastEnded(sidecar), { ended: 'cut', by: 'websocket_frame', request: digests(good) });
});

t.test('a request in an open WebSocket reaches nobody', async (t) => {
  const talker = await startTalker(t, SWITCHING);
  const sidecar = await sidecarTo(t, talker);
  const agent = await openRaw(sidecar.port, talker.port);
  agent.socket.write(`GET http://127.0.0.1:${talker.port}/admin HTTP/1.1\r\nHost: a\r\n\r\n`);
  await agent.closed();
  await talker.closed;
  t.notMatch(talker.heard().toString('latin1'), 'admin');
});

t.test('a message over the limit says 1009 to both ends, also in fragments', async (t) => {
  const limits = { webSocket: { maxMessageBytes: 1000, idleMs: 0 } };
  for (const fragments of [[1001], [600, 401]]) {
    const echo = await startEcho(t);
    const sidecar = await sidecarTo(t, echo, { settings: limits });
    const [client, server] = await openBoth(sidecar, echo);
    const codes = Promise.all([closeOf(client), closeOf(server)]);
    for (const [i, size] of fragments.entries())
      client.send(Buffer.alloc(size), { fin: i === fragments.length - 1 });
    t.same(await codes, [1009, 1009]);
    await sidecar.finished(1);
    t.match(lastEnded(sidecar), { ended: 'cut', by: 'websocket_too_large' });
  }
});

t.test('silence ends it, and a ping is no silence', async (t) => {
  const echo = await startEcho(t);
  const limits = { webSocket: { maxMessageBytes: 1000, idleMs: 150 } };
  const sidecar = await sidecarTo(t, echo, { settings: limits });
  const [client, server] = await openBoth(sidecar, echo);
  const codes = Promise.all([closeOf(client), closeOf(server)]);
  const began = performance.now();
  for (let pings = 0; pings < 30 && performance.now() - began < 400; pings++) {
    client.ping();
    await once(client, 'pong');
    await new Promise((resolve) => setTimeout(resolve, 20)); // what is tested is time itself
  }
  t.equal(client.readyState, client.OPEN);
  t.same(await codes, [1008, 1008]);
  await sidecar.finished(1);
  t.match(lastEnded(sidecar), { ended: 'cut', by: 'websocket_idle' });
});

t.test('an upstream that goes without a word is 1014 to the agent, where a frame can be put', async (t) => {
  for (const leave of ['end', 'resetAndDestroy'] as const) {
    const echo = await startEcho(t);
    const sidecar = await sidecarTo(t, echo);
    const [client] = await openBoth(sidecar, echo);
    const code = closeOf(client);
    for (const socket of echo.sockets) socket[leave]();
    t.equal(await code, 1014, leave);
    await sidecar.finished(1);
    t.match(lastEnded(sidecar), { ended: 'upstream-error', answered: true });
  }
});

t.test(
  'in the middle of a frame there is no place for a Close frame: the connection just ends',
  async (t) => {
    let held: HeldLease | undefined;
    const half = Buffer.concat([Buffer.from([0x82, 100]), Buffer.alloc(50)]).toString('latin1');
    const talker = await startTalker(t, (socket) => socket.write(SWITCHING + half, 'latin1'));
    const sidecar = await sidecarTo(t, talker, { lease: (lease) => (held = lease) });
    const agent = await openRaw(sidecar.port, talker.port);
    await agent.hears(half);
    held?.end('lease_expired');
    await agent.closed();
    t.ok(agent.heard.endsWith(half), 'not one byte after it');
    await talker.closed;
    t.ok(
      talker
        .heard()
        .subarray(-2)
        .equals(Buffer.from([0x03, 0xf0])),
      'the other direction has a place',
    );
  },
);

t.test('an agent that goes is 1001 to the upstream, and nothing stays open', async (t) => {
  const agents = 50;
  const echo = await startEcho(t);
  const sidecar = await sidecarTo(t, echo);
  const codes: Promise<number>[] = [];
  echo.server.on('connection', (socket) => codes.push(closeOf(socket)));
  const clients = Array.from({ length: agents }, () => openThrough(sidecar.port, echo.port));
  await Promise.all(clients.map((client) => once(client, 'open')));
  t.equal(echo.sockets.size, agents);
  const closed = gone(echo.sockets);
  for (const client of clients) client.terminate();
  await closed;
  t.equal(echo.sockets.size, 0);
  t.same(new Set(await Promise.all(codes)), new Set([1001]));
  await sidecar.finished(agents);
  t.ok(sidecar.ended.every(({ ended }) => ended === 'client-abort'));
});

t.test('an agent that stops talking behind its goodbye hears the upstream’s', async (t) => {
  const echo = await startEcho(t);
  const sidecar = await sidecarTo(t, echo);
  const arrival = once(echo.server, 'connection') as Promise<unknown[]> as Promise<[WebSocket]>; // of ws
  const agent = await openRaw(sidecar.port, echo.port);
  const [server] = await arrival;
  const code = closeOf(server);
  agent.socket.end(frame('\x03\xe8', { first: 0x88, masked: true }));
  await agent.closed();
  t.equal(await code, 1000);
  t.ok(agent.heard.endsWith(frame('\x03\xe8', { first: 0x88 }).toString('latin1')));
  await sidecar.finished(1);
  t.match(lastEnded(sidecar), { ended: 'complete', request: { bytes: 8 }, response: { bytes: 4 } });
});

t.test('each direction is read no faster than its reader reads it', async (t) => {
  const message = Buffer.alloc(65_536, 'x');
  for (const slow of ['agent', 'upstream'] as const) {
    const echo = await startEcho(t, (socket) => socket.removeAllListeners('message'));
    const sidecar = await sidecarTo(t, echo);
    const [client, server] = await openBoth(sidecar, echo);
    const [reader, writer] = slow === 'agent' ? [client, server] : [server, client];
    reader.pause();
    let sent = 0;
    let done = 0;
    while (sent - done < 400) {
      sent += 1;
      writer.send(message, () => (done += 1));
      await new Promise(setImmediate);
      if (sent > 4000) break;
    }
    t.ok(done * message.length < 32 * 1024 * 1024, `${done} messages were taken for a slow ${slow}`);
    t.ok(sent <= 4000);
    writer.terminate();
    reader.terminate();
    await sidecar.finished(1);
  }
});

t.test('a lease that ended before dialling lets nothing out', async (t) => {
  const echo = await startEcho(t);
  const sidecar = await sidecarTo(t, echo, {
    lease: (lease) => lease.end('lease_expired'),
  });
  const client = openThrough(sidecar.port, echo.port);
  const [, response] = (await once(client, 'unexpected-response')) as [unknown, { statusCode: number }];
  t.equal(response.statusCode, 403);
  t.equal(echo.sockets.size, 0);
});
