/** What both sides of an HTTP/2 connection are told that they may do (threats.md §2), as it stands on the wire. */
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import t from 'tap';
import { frame, PREFACE, readFrames, TYPE } from './http2-frames.ts';
import type { Frame } from './http2-frames.ts';
import { call, fields, startAgent } from './http2-client.ts';
import { startSidecar } from './small-gate.ts';

const KIB = 1024;
/** What the connection has before anything is said (RFC 9113 §6.9.2). */
const FIRST_WINDOW = 65_535;

/** RFC 9113 §6.5.2, RFC 8441 §3. */
const SETTING = { ENABLE_PUSH: 2, MAX_STREAMS: 3, WINDOW: 4, MAX_HEAD: 6, EXTENDED_CONNECT: 8 } as const;

/** The first SETTINGS and WINDOW_UPDATE that come on a connection, behind so many bytes. */
async function firstFrames(socket: Socket, skipped = 0): Promise<{ settings: Map<number, number>; window: number }> {
  let heard = Buffer.alloc(0);
  for (;;) {
    const { frames } = readFrames(heard.subarray(skipped));
    const settings = frames.find(({ type, flags }) => type === TYPE.SETTINGS && flags === 0);
    const update = frames.find(({ type, stream }) => type === TYPE.WINDOW_UPDATE && stream === 0);
    if (settings && update) return { settings: settingsOf(settings), window: FIRST_WINDOW + update.payload.readUInt32BE(0) };
    const [chunk] = (await once(socket, 'data')) as [Buffer]; // a net.Socket's event
    heard = Buffer.concat([heard, chunk]);
  }
} // prettier-ignore

function settingsOf({ payload }: Frame): Map<number, number> {
  const settings = new Map<number, number>();
  for (let at = 0; at < payload.length; at += 6)
    settings.set(payload.readUInt16BE(at), payload.readUInt32BE(at + 2));
  return settings;
}

t.test('an agent may open 100 streams of 64 KiB each, and is offered no extended CONNECT', async (t) => {
  const sidecar = await startSidecar(t, {});
  const socket = connect(sidecar.http2Port, '127.0.0.1');
  t.teardown(() => socket.destroy());
  socket.write(PREFACE);
  socket.write(frame(TYPE.SETTINGS, 0));
  const { settings, window } = await firstFrames(socket);
  t.equal(settings.get(SETTING.MAX_STREAMS), 100);
  t.equal(settings.get(SETTING.WINDOW), 64 * KIB);
  t.equal(settings.get(SETTING.MAX_HEAD), 16 * KIB);
  t.equal(settings.get(SETTING.EXTENDED_CONNECT) ?? 0, 0);
  t.equal(window, KIB * KIB, 'of the connection');
});

t.test('an upstream may push nothing, and fill 256 KiB a stream', async (t) => {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  const { port } = server.address() as AddressInfo; // it listens on TCP
  const arrived = once(server, 'connection') as Promise<[Socket]>;
  const upstream = `http://127.0.0.1:${port}`;
  const sidecar = await startSidecar(t, {
    ...{ carrier: 'reverse', routes: [{ upstream }], allow: [`127.0.0.1:${port}`] },
    settings: { choose: () => 'h2' },
  });
  const asked = call(startAgent(t, sidecar.http2Port), fields('GET', '/'));
  const [socket] = await arrived;
  const { settings, window } = await firstFrames(socket, PREFACE.length);
  t.equal(settings.get(SETTING.ENABLE_PUSH), 0);
  t.equal(settings.get(SETTING.WINDOW), 256 * KIB);
  t.equal(settings.get(SETTING.MAX_HEAD), 16 * KIB);
  t.equal(window, KIB * KIB, 'of the connection');
  socket.destroy();
  t.match(await asked, { status: 502 });
});
