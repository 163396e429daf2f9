/** One flood, in a process of its own until it is killed. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { pathToFileURL } from 'node:url';
import { openTunnel } from '../e2e/tunnels.ts';
import { block, END_HEADERS, END_STREAM, frame, TYPE } from '../proxy/http2-frames.ts';
import { openTls } from './clients.ts';
import { slow } from './slow.ts';
import type { Target } from './slow.ts';
import type { Stage } from './stage.ts';

const BURST = 500;
const CONNECTIONS = 4;
const SLOW = 1000;
const PREFACE = Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), frame(TYPE.SETTINGS, 0)]);
const head = (stream: number, flags: number): Buffer => {
  const payload = block(':method', 'GET', ':scheme', 'https', ':path', '/', ':authority', 'localhost');
  return frame(TYPE.HEADERS, flags, { stream, payload });
};
const many = (make: (i: number) => Buffer): Buffer =>
  Buffer.concat(Array.from({ length: BURST }, (_, i) => make(i)));

const frames: Readonly<Record<string, Buffer>> = {
  ping: many(() => frame(TYPE.PING, 0, { payload: new Uint8Array(8) })),
  settings: many(() => frame(TYPE.SETTINGS, 0)),
  reset: many((i) => {
    const stream = 2 * i + 1;
    const reset = frame(TYPE.RST_STREAM, 0, { stream, payload: Buffer.from([0, 0, 0, 8]) });
    return Buffer.concat([head(stream, END_HEADERS | END_STREAM), reset]);
  }),
  continuation: Buffer.concat([
    head(1, 0),
    many(() => frame(TYPE.CONTINUATION, 0, { stream: 1, payload: block('a', 'b') })),
  ]),
  emptyData: Buffer.concat([head(1, END_HEADERS), many(() => frame(TYPE.DATA, 0, { stream: 1 }))]),
};

/** Every flood, by name; each goes on for ever once it has resolved. */
export const floods: Readonly<Record<string, (to: Target) => Promise<void>>> = {
  ...Object.fromEntries(
    Object.entries(frames).map(([name, bytes]) => [name, (to: Target) => floodFrames(to, bytes)]),
  ),
  slowHeads: ({ port }) =>
    slowly(
      () => Promise.resolve(connect(port, '127.0.0.1').on('error', () => undefined)),
      'GET / HTTP/1.1\r\nX: ',
    ),
  slowHandshakes: ({ port, tls, grant }) =>
    slowly(async () => (await openTunnel(port, tls, { grant })).socket, Buffer.from('160301020001', 'hex')),
  ...slow,
};

/** Connections that send it all, and come again when they were sent away. */
function floodFrames(to: Target, bytes: Buffer): Promise<void> {
  const on = { sidecar: { port: () => to.port, home: { path: to.home } }, tls: to.tls, grant: to.grant };
  const again = async (): Promise<void> => {
    const { tls } = await openTls(on as unknown as Stage, 'h2'); // all that it reads
    tls.resume().write(Buffer.concat([PREFACE, bytes]));
    if (!tls.closed) await once(tls, 'close');
  };
  for (let i = 0; i < CONNECTIONS; i++) {
    const forever = (): void =>
      void again()
        .catch(() => undefined)
        .then(() => setTimeout(forever, 1));
    forever();
  }
  return Promise.resolve();
}

async function slowly(
  open: () => Promise<{ write(bytes: string | Buffer): unknown }>,
  begin: string | Buffer,
): Promise<void> {
  for (let i = 0; i < SLOW; i += 25) {
    const sockets = await Promise.all(Array.from({ length: 25 }, () => open().catch(() => undefined)));
    for (const socket of sockets) socket?.write(begin);
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const given = JSON.parse(process.argv[2] ?? '') as Target & { name: string }; // by floods.ts
  await floods[given.name]?.(given);
  console.log('runs');
  setInterval(() => undefined, 1000);
}
