/** Floods of frames, on the reverse port: each ends its connection with GOAWAY, and the sidecar goes on. */
import t from 'tap';
import { call, fields, startAgent } from './http2-client.ts';
import { block, END_HEADERS, END_STREAM, frame, FrameAgent, GET, TYPE } from './http2-frames.ts';
import { startSidecar } from './small-gate.ts';

/** RFC 9113 §7. */
const INTERNAL_ERROR = 2;
const ENHANCE_YOUR_CALM = 11;
const MANY = 20_000;
const times = (make: (i: number) => Buffer): Buffer =>
  Buffer.concat(Array.from({ length: MANY }, (_, i) => make(i)));
const head = (stream: number, flags: number): Buffer =>
  frame(TYPE.HEADERS, flags, { stream, payload: block(...GET) });

const floods: readonly (readonly [name: string, code: number, why: string, bytes: () => Buffer])[] = [
  [
    'PING',
    ENHANCE_YOUR_CALM,
    'ERR_HTTP2_FLOOD',
    () => times(() => frame(TYPE.PING, 0, { payload: new Uint8Array(8) })),
  ],
  ['SETTINGS', ENHANCE_YOUR_CALM, 'ERR_HTTP2_FLOOD', () => times(() => frame(TYPE.SETTINGS, 0))],
  [
    'rapid reset',
    INTERNAL_ERROR,
    'ERR_HTTP2_ERROR',
    () =>
      times((i) => {
        const stream = 2 * i + 1;
        const reset = frame(TYPE.RST_STREAM, 0, { stream, payload: Buffer.from([0, 0, 0, 8]) });
        return Buffer.concat([head(stream, END_HEADERS | END_STREAM), reset]);
      }),
  ],
  [
    'CONTINUATION',
    INTERNAL_ERROR,
    'ERR_HTTP2_ERROR',
    () => {
      const more = times(() => frame(TYPE.CONTINUATION, 0, { stream: 1, payload: block('a', 'b') }));
      return Buffer.concat([head(1, 0), more]);
    },
  ],
  [
    'empty DATA',
    INTERNAL_ERROR,
    'ERR_HTTP2_TOO_MANY_INVALID_FRAMES',
    () => Buffer.concat([head(1, END_HEADERS), times(() => frame(TYPE.DATA, 0, { stream: 1 }))]),
  ],
];

for (const [name, code, why, bytes] of floods)
  t.test(`a flood of ${name} ends in GOAWAY`, async (t) => {
    const routes = [{ upstream: 'http://127.0.0.1:1' }];
    const sidecar = await startSidecar(t, { carrier: 'reverse', routes, decide: () => 'policy_denied' });
    const agent = new FrameAgent(sidecar.port);
    agent.socket.write(bytes());
    const heard = await agent.closed();
    t.equal(heard.find(({ type }) => type === TYPE.GOAWAY)?.payload.readUInt32BE(4), code);
    t.match(sidecar.malformed, [{ status: 400, why }]);
    t.ok(sidecar.calls.length < MANY / 10, 'few of its streams became calls');
    t.match(await call(startAgent(t, sidecar.port), fields('GET', '/')), { status: 403 }, 'others go on');
  });
