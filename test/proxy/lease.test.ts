/** A call ends with its lease: not one byte more passes, and the agent can tell. */
import { once } from 'node:events';
import type { Socket } from 'node:net';
import t from 'tap';
import type { HeldLease, Lease } from '../../src/gate/lease.ts';
import { exchangeRaw, lastEnded, RawAgent, startRaw, startSidecar } from './small-gate.ts';

const head = (method: string, port: number, ...lines: readonly string[]): string =>
  [`${method} http://127.0.0.1:${port}/ HTTP/1.1`, `Host: 127.0.0.1:${port}`, ...lines, '', ''].join('\r\n');

/** An upstream that says this, and what it heard. */
function listener(...texts: readonly string[]): {
  talk: (socket: Socket) => void;
  heard: () => string;
  closed: Promise<void>;
} {
  let heard = '';
  let closing: () => void = () => undefined;
  const closed = new Promise<void>((resolve) => (closing = resolve));
  const talk = (socket: Socket): void => {
    socket.on('data', (data: Buffer) => (heard += data.toString('latin1')));
    socket.once('data', () => texts.forEach((text) => socket.write(text)));
    socket.once('close', closing);
  };
  return { talk, heard: () => heard, closed };
}

t.test('a lease that ended before dialling lets nothing out', async (t) => {
  const origin = listener();
  const { port, sockets } = await startRaw(t, origin.talk);
  const sidecar = await startSidecar(t, {
    allow: [`127.0.0.1:${port}`],
    lease: (lease) => lease.end('lease_expired'),
  });
  t.match(
    await exchangeRaw(sidecar.port, head('GET', port, 'Connection: close')),
    /^HTTP\/1.1 403 .*"code":"lease_expired"/s,
  );
  await sidecar.finished(1);
  t.match(lastEnded(sidecar), { ended: 'cut', by: 'lease_expired', answered: false, request: { bytes: 0 } });
  t.notOk('dialled' in lastEnded(sidecar));
  t.equal(sockets.size, 0);
});

t.test('a lease that ended lets nothing out on a connection that was open already', async (t) => {
  const origin = listener('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok');
  const { port } = await startRaw(t, origin.talk);
  let second = false;
  const endSoon = (lease: HeldLease): void => {
    if (second) queueMicrotask(() => lease.end('lease_expired'));
  };
  const sidecar = await startSidecar(t, { allow: [`127.0.0.1:${port}`], lease: endSoon });
  t.match(await exchangeRaw(sidecar.port, head('GET', port, 'Connection: close')), /ok$/);
  t.equal(sidecar.upstream.idle, 1);
  const before = origin.heard();
  second = true;
  t.match(await exchangeRaw(sidecar.port, head('GET', port, 'Connection: close')), /"code":"lease_expired"/);
  await origin.closed;
  t.equal(origin.heard(), before);
});

t.test(
  'the lease is asked in the last step before dialling, and before each request on an open connection',
  async (t) => {
    const origin = listener('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok');
    const { port, sockets } = await startRaw(t, origin.talk);
    let dead = true;
    const ownLease = (): Lease => ({
      alive: !dead,
      ended: undefined, // it does not say so by itself
      countRequest: () => undefined,
      countResponse: () => undefined,
      admitsResponse: () => true,
      onEnd: () => undefined,
    });
    const sidecar = await startSidecar(t, { allow: [`127.0.0.1:${port}`], ownLease });
    await exchangeRaw(sidecar.port, head('GET', port, 'Connection: close'));
    t.equal(sockets.size, 0);
    t.notOk('dialled' in lastEnded(sidecar));
    dead = false;
    t.match(await exchangeRaw(sidecar.port, head('GET', port, 'Connection: close')), /ok$/);
    t.equal(sockets.size, 1);
    const before = origin.heard();
    dead = true;
    await exchangeRaw(sidecar.port, head('GET', port, 'Connection: close'));
    await origin.closed;
    t.equal(origin.heard(), before);
  },
);

t.test('a lease that ends before the head is answered with a denial', async (t) => {
  const origin = listener();
  const { port } = await startRaw(t, origin.talk);
  let held: HeldLease | undefined;
  const sidecar = await startSidecar(t, {
    allow: [`127.0.0.1:${port}`],
    lease: (lease) => void (held = lease),
  });
  const agent = new RawAgent(sidecar.port);
  agent.socket.write(head('POST', port, 'Content-Length: 10', 'Connection: close') + 'part');
  await arrived(() => origin.heard().includes('part'));
  held?.end('lease_seconds');
  await Promise.all([origin.closed, agent.hears('"code":"lease_seconds"')]);
  agent.socket.end();
  await agent.closed();
  t.match(agent.heard, /^HTTP\/1.1 403 .*"code":"lease_seconds"/s);
  t.match(lastEnded(sidecar), { ended: 'cut', by: 'lease_seconds', answered: false, request: { bytes: 4 } });
});

t.test('a lease that ends after the head leaves the body without its end', async (t) => {
  const bodies: readonly [string, string][] = [
    ['chunked', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\npart\r\n'],
    ['counted', 'HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\npart'],
  ];
  for (const [name, text] of bodies) {
    const origin = listener(text);
    const { port } = await startRaw(t, origin.talk);
    let held: HeldLease | undefined;
    const sidecar = await startSidecar(t, {
      allow: [`127.0.0.1:${port}`],
      lease: (lease) => void (held = lease),
    });
    const agent = new RawAgent(sidecar.port);
    agent.socket.write(head('GET', port));
    await agent.hears('part');
    held?.end('lease_stopped');
    await Promise.all([agent.closed(), origin.closed]);
    t.match(agent.heard, name === 'chunked' ? /\r\n4\r\npart\r\n$/ : /\r\n\r\npart$/, name);
    t.match(lastEnded(sidecar), {
      ended: 'cut',
      by: 'lease_stopped',
      answered: true,
      status: 200,
      response: { bytes: 4 },
    });
  }
});

t.test('an HTTP/1.0 agent hears of a cut by a reset', async (t) => {
  const origin = listener('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\npart\r\n');
  const { port } = await startRaw(t, origin.talk);
  let held: HeldLease | undefined;
  const sidecar = await startSidecar(t, {
    allow: [`127.0.0.1:${port}`],
    lease: (lease) => void (held = lease),
  });
  const agent = new RawAgent(sidecar.port);
  const failed = once(agent.socket, 'error');
  agent.socket.write(head('GET', port).replace('HTTP/1.1', 'HTTP/1.0'));
  await agent.hears('part');
  held?.end('lease_stopped');
  t.match(await failed, [{ code: 'ECONNRESET' }]);
});

t.test('a request body passes up to its limit, and not one byte more', async (t) => {
  for (const framing of ['Content-Length: 11', 'Transfer-Encoding: chunked']) {
    const origin = listener();
    const { port } = await startRaw(t, origin.talk);
    const sidecar = await startSidecar(t, {
      allow: [`127.0.0.1:${port}`],
      lease: (lease) => lease.limit({ requestBytes: 10 }),
    });
    const chunked = framing.startsWith('T');
    const piece = (text: string): string => (chunked ? `${text.length.toString(16)}\r\n${text}\r\n` : text);
    const agent = new RawAgent(sidecar.port);
    agent.socket.write(head('POST', port, framing, 'Connection: close') + piece('0123456789'));
    await arrived(() => origin.heard().includes('0123456789'));
    agent.socket.write(piece('X'));
    await Promise.all([agent.hears('lease_request_bytes'), origin.closed]);
    agent.socket.end();
    t.match(agent.heard, /^HTTP\/1.1 403 .*"code":"lease_request_bytes"/s);
    t.notMatch(origin.heard(), 'X');
    t.match(lastEnded(sidecar), { ended: 'cut', by: 'lease_request_bytes', request: { bytes: 10 } });
  }
});

t.test('a response body passes up to its limit, and not one byte more', async (t) => {
  for (const last of ['', 'X']) {
    const origin = listener(
      'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\na\r\n0123456789\r\n',
      last ? '1\r\nX\r\n' : '',
      '0\r\n\r\n',
    );
    const { port } = await startRaw(t, origin.talk);
    const sidecar = await startSidecar(t, {
      allow: [`127.0.0.1:${port}`],
      lease: (lease) => lease.limit({ responseBytes: 10 }),
    });
    const heard = await exchangeRaw(sidecar.port, head('GET', port, 'Connection: close'));
    t.notMatch(heard.split('\r\n\r\n')[1] ?? '', 'X');
    await sidecar.finished(1);
    const expected = last
      ? { ended: 'cut', by: 'lease_response_bytes' }
      : { ended: 'complete', response: { bytes: 10 } };
    t.match(lastEnded(sidecar), expected);
  }
});

t.test('a bound body over the limit is never sent', async (t) => {
  const origin = listener();
  const { port } = await startRaw(t, origin.talk);
  const sidecar = await startSidecar(t, {
    allow: [`127.0.0.1:${port}`],
    bind: 100,
    lease: (lease) => lease.limit({ requestBytes: 3 }),
  });
  t.match(
    await exchangeRaw(sidecar.port, head('POST', port, 'Content-Length: 4', 'Connection: close') + 'body'),
    /"code":"lease_request_bytes"/,
  );
  t.equal(origin.heard(), '');
});

/** Resolves once a condition holds; asked once a turn of the event loop. */
async function arrived(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise(setImmediate);
}
