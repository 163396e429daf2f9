/** The tests' own decoder of header blocks, against RFC 7541 and against nghttp2. */
import { once } from 'node:events';
import { connect } from 'node:http2';
import type { Socket } from 'node:net';
import t from 'tap';
import { HeaderDecoder } from './hpack.ts';
import { PREFACE, readFrames, TYPE } from './http2-frames.ts';
import { startRaw } from './small-gate.ts';
import type { Teardown } from './small-gate.ts';

const of = (hex: string): Buffer => Buffer.from(hex.replaceAll(' ', ''), 'hex');

t.test('the requests of RFC 7541 §C.4 are read', async (t) => {
  const decoder = new HeaderDecoder();
  const start = [':method', 'GET', ':scheme', 'http', ':path', '/', ':authority', 'www.example.com'];
  t.strictSame(decoder.decode(of('8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff')), start);
  t.strictSame(decoder.decode(of('8286 84be 5886 a8eb 1064 9cbf')), [...start, 'cache-control', 'no-cache']);
  t.strictSame(decoder.decode(of('8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf')), [
    ...start.with(3, 'https').with(5, '/index.html'),
    ...['custom-key', 'custom-value'],
  ]);
});

t.test('what leaves a table of 256 octets is gone (RFC 7541 §C.6)', async (t) => {
  const decoder = new HeaderDecoder();
  decoder.decode(of('3f e101')); // its size
  const date = 'Mon, 21 Oct 2013 20:13:21 GMT';
  const rest = ['cache-control', 'private', 'date', date, 'location', 'https://www.example.com'];
  t.strictSame(
    decoder.decode(
      of(
        '4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3',
      ),
    ),
    [':status', '302', ...rest],
  );
  t.strictSame(decoder.decode(of('4883 640e ff c1 c0 bf')), [':status', '307', ...rest]);
});

t.test('what cannot be read is nothing', async (t) => {
  for (const hex of ['80', 'ff', 'be', '41', '4185', '4181 00', '0001'])
    t.equal(new HeaderDecoder().decode(of(hex)), undefined, hex);
});

t.test('every octet that nghttp2 may send is read', async (t) => {
  const octets = Array.from({ length: 222 }, (_, i) => String.fromCharCode(i + (i < 94 ? 33 : 34)));
  const every = octets.map((octet) => `${octet}aaaaaaaa`).join(''); // so that the whole is shorter when it is packed
  const heard = await blockOf(t, ['x-every', every, 'x-again', every]);
  t.strictSame(new HeaderDecoder().decode(heard)?.slice(-4), ['x-every', every, 'x-again', every]);
});

/** The block of a request's head as node:http2 writes it. */
async function blockOf(t: Teardown, fields: readonly string[]): Promise<Buffer> {
  const asked = Promise.withResolvers<Socket>();
  const { port } = await startRaw(t, asked.resolve);
  const session = connect(`http://127.0.0.1:${port}`);
  t.teardown(() => session.destroy());
  session.on('error', () => undefined);
  const start = [':method', 'GET', ':scheme', 'http', ':authority', 'a', ':path', '/'];
  session.request([...start, ...fields]).on('error', () => undefined);
  const socket = await asked.promise;
  for (let heard = Buffer.alloc(0); ;) {
    const [chunk] = (await once(socket, 'data')) as [Buffer]; // net's own event
    heard = Buffer.concat([heard, chunk]);
    const head = readFrames(heard.subarray(PREFACE.length)).frames.find(({ type }) => type === TYPE.HEADERS);
    if (head) return head.payload;
  }
}
