/** Whoever stands still stops the other end, on every carrier: counted until nothing more is taken, and then it goes on. */
import { once } from 'node:events';
import type { Duplex, Readable } from 'node:stream';
import t from 'tap';
import type { Test } from 'tap';
import type { WebSocket } from 'ws';
import { RawAgent } from '../proxy/small-gate.ts';
import { handshakeBytes } from '../proxy/websocket-server.ts';
import { begin, PIECE_BYTES, pour, pourFor } from './bodies.ts';
import type { Way } from './bodies.ts';
import { startStage } from './stage.ts';
import type { Answer, Stage } from './stage.ts';

const MIB = 1024 * 1024;
/** What may be on its way: kernels take the most of it. On HTTP/2 windows bound it. */
const MOST: Readonly<Record<Way | 'webSocket', number>> = { h1: 24, tls: 24, h2: 4, webSocket: 24 };
/** So many turns of the sidecar without a further byte are the end. */
const STILL = 100;
const WAYS: readonly Way[] = ['h1', 'tls', 'h2'];
/** A message of 64 KiB, with a mask of zeros where an agent sends it (RFC 6455 §5.2). */
const MESSAGE_BYTES = 64 * 1024;
const MASKED = Buffer.concat([
  Buffer.from([0x82, 0xff, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0]),
  Buffer.alloc(MESSAGE_BYTES),
]);

/** Bytes that the end which does not stand still could write. */
let sent = 0;

/** Resolves with them once no more are taken, or more than may be. */
async function stillness({ sidecar }: Stage, most: number): Promise<number> {
  const health = `http://127.0.0.1:${sidecar.port('admin')}/livez`;
  for (let still = 0, last = -1; still < STILL && sent <= most; last = sent) {
    await (await fetch(health)).text();
    still = sent === last ? still + 1 : 0;
  }
  return sent;
}

async function assertBounded(t: Test, on: Stage, way: keyof typeof MOST, go: () => unknown): Promise<void> {
  const most = MOST[way] * MIB;
  const stopped = await stillness(on, most);
  t.ok(stopped > 0 && stopped <= most, `${(stopped / MIB).toFixed(1)} MiB could be sent`);
  go();
  while (sent === stopped) await new Promise(setImmediate);
  t.pass('and once the other end reads it goes on');
} // prettier-ignore

/** Sends without an end to a GET, and does not read what comes with a POST before it is told to. */
function answer(waiting: Readable[]): Answer {
  return (request, response) => {
    request.on('error', () => undefined);
    response.on('error', () => undefined);
    if (request.method === 'POST') waiting.push(request);
    else pourFor(response, () => (sent += PIECE_BYTES)).catch(() => undefined); // the reader went away
  };
}

t.test('bodies', async (t) => {
  const waiting: Readable[] = [];
  const on = await startStage(t, answer(waiting));
  for (const way of WAYS) {
    await t.test(`${way} down`, async (t) => {
      sent = 0;
      const call = await begin(on, way, { method: 'GET', path: '/' });
      call.up.end();
      const down = await call.down;
      down.on('error', () => undefined);
      await assertBounded(t, on, way, () => down.resume());
      call.close();
    });
    await t.test(`${way} up`, async (t) => {
      sent = 0;
      const call = await begin(on, way, { method: 'POST', path: '/' });
      call.down.catch(() => undefined); // there is no answer
      pour(call.up, Infinity, () => (sent += PIECE_BYTES)).catch(() => undefined);
      await assertBounded(t, on, way, () => waiting.pop()?.resume());
      call.close();
    });
  }
});

t.test('WebSockets', async (t) => {
  const opened: WebSocket[] = [];
  const on = await startStage(t, undefined, (socket) => void opened.push(socket));
  const open = async (): Promise<RawAgent> => {
    const agent = new RawAgent(on.sidecar.port('forward'));
    agent.socket.write(handshakeBytes(Number(on.webSocket.split(':')[1]), `Writ-Grant: ${on.grant}`));
    await agent.hears('\r\n\r\n');
    return agent;
  };
  await t.test('down', async (t) => {
    sent = 0;
    const { socket } = await open();
    socket.pause();
    const server = opened.pop();
    const send = (): void => server?.send(Buffer.alloc(MESSAGE_BYTES), (failed) => !failed && ((sent += MESSAGE_BYTES), send())); // prettier-ignore
    send();
    await assertBounded(t, on, 'webSocket', () => socket.resume());
    socket.destroy();
  });
  await t.test('up', async (t) => {
    sent = 0;
    const { socket } = await open();
    const server = opened.pop();
    server?.removeAllListeners('message').pause();
    void pourFrames(socket);
    await assertBounded(t, on, 'webSocket', () => server?.resume());
    socket.destroy();
  });
});

async function pourFrames(to: Duplex): Promise<void> {
  while (!to.destroyed) {
    sent += MESSAGE_BYTES;
    if (!to.write(MASKED)) await Promise.race([once(to, 'drain'), once(to, 'close')]);
  }
}
