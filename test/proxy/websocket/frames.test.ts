import fc from 'fast-check';
import t from 'tap';
import { closeFrame, isCloseCode } from '../../../src/proxy/websocket/close.ts';
import { FrameReader } from '../../../src/proxy/websocket/frames.ts';
import type { FrameFault } from '../../../src/proxy/websocket/frames.ts';

/** One frame, by its parts. */
interface FrameParts {
  readonly first?: number;
  readonly payload?: Buffer;
  readonly masked?: boolean;
  /** Instead of the shortest one. */
  readonly length?: Buffer;
}

const TEXT = 0x81;
const PING = 0x89;
const CLOSE = 0x88;
const MASK = Buffer.from([0x37, 0xfa, 0x21, 0x3d]);

function frame({ first = TEXT, payload = Buffer.alloc(0), masked = false, length }: FrameParts = {}): Buffer {
  const { length: bytes } = payload;
  const long = Buffer.alloc(bytes > 0xffff ? 9 : bytes > 125 ? 3 : 1);
  if (bytes > 0xffff) long.writeBigUInt64BE(BigInt(bytes), 1);
  else if (bytes > 125) long.writeUInt16BE(bytes, 1);
  long[0] = bytes > 0xffff ? 127 : bytes > 125 ? 126 : bytes;
  const size = Buffer.from(length ?? long);
  if (masked) size[0] = (size[0] ?? 0) | 0x80;
  const body = masked ? payload.map((byte, i) => byte ^ (MASK[i % 4] ?? 0)) : payload;
  return Buffer.concat([Buffer.from([first]), size, masked ? MASK : Buffer.alloc(0), body]);
}

const status = (code: number): Buffer => Buffer.from([code >> 8, code & 255]);

interface Read {
  readonly passed: Buffer;
  readonly fault: FrameFault | undefined;
  readonly reader: FrameReader;
}

/** Reads bytes in these portions; after a fault nothing more is given. */
function read(
  chunks: readonly Buffer[],
  rules: Partial<ConstructorParameters<typeof FrameReader>[0]> = {},
): Read {
  const reader = new FrameReader({ masked: false, extended: false, maxMessageBytes: 1000, ...rules });
  const passed: Buffer[] = [];
  for (const chunk of chunks) {
    const { passes, fault } = reader.read(chunk);
    passed.push(passes);
    if (fault) return { passed: Buffer.concat(passed), fault, reader };
  }
  return { passed: Buffer.concat(passed), fault: undefined, reader };
}

const good: readonly (readonly [name: string, bytes: Buffer])[] = [
  ['a text', frame({ payload: Buffer.from('hello') })],
  ['nothing', frame()],
  ['126 bytes', frame({ first: 0x82, payload: Buffer.alloc(126) })],
  ['fragments with a ping between', Buffer.concat([frame({ first: 0x01, payload: Buffer.alloc(3) }), frame({ first: PING }), frame({ first: 0x00 }), frame({ first: 0x80, payload: Buffer.alloc(9) })])],
  ['a close without a code', frame({ first: CLOSE })],
  ['a close with a reason', frame({ first: CLOSE, payload: Buffer.concat([status(1000), Buffer.from('done')]) })],
  ['a close of its own kind', frame({ first: CLOSE, payload: status(4999) })],
]; // prettier-ignore

t.test('what RFC 6455 allows passes as it is, in whatever portions it comes', (t) => {
  for (const [name, bytes] of good)
    for (const size of [1, 2, 3, 7, bytes.length]) {
      const chunks = Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) => bytes.subarray(i * size, (i + 1) * size));
      const { passed, fault, reader } = read(chunks);
      t.equal(fault, undefined, name);
      t.ok(passed.equals(bytes) && reader.atBorder, `${name}, ${size} at a time`);
      t.equal(reader.closed, name.startsWith('a close'));
    }
  t.end();
}); // prettier-ignore

const faults: readonly (readonly [name: string, bytes: Buffer, fault: FrameFault])[] = [
  ['a reserved bit', frame({ first: TEXT | 0x40 }), 'protocol'],
  ['a reserved opcode', frame({ first: 0x83 }), 'protocol'],
  ['a reserved control opcode', frame({ first: 0x8b }), 'protocol'],
  ['a control frame in fragments', frame({ first: 0x09 }), 'protocol'],
  ['a control frame of 126 bytes', frame({ first: PING, payload: Buffer.alloc(126) }), 'protocol'],
  ['a continuation of nothing', frame({ first: 0x80 }), 'protocol'],
  ['a message within a message', Buffer.concat([frame({ first: 0x01 }), frame()]), 'protocol'],
  ['a mask', frame({ masked: true }), 'protocol'],
  ['a length in more octets than it needs', frame({ length: Buffer.from([126, 0, 125]) }), 'protocol'],
  ['a length in 8 octets that fits in 2', frame({ length: Buffer.from([127, 0, 0, 0, 0, 0, 0, 255, 255]) }), 'protocol'],
  ['a length with its highest bit set', frame({ length: Buffer.from([127, 128, 0, 0, 0, 0, 1, 0, 0]) }), 'protocol'],
  ['half a close code', frame({ first: CLOSE, payload: Buffer.from([3]) }), 'protocol'],
  ['a close code that stands in no frame', frame({ first: CLOSE, payload: status(1006) }), 'protocol'],
  ['a close code that means nothing', frame({ first: CLOSE, payload: status(999) }), 'protocol'],
  ['a frame after the close', Buffer.concat([frame({ first: CLOSE }), frame()]), 'protocol'],
  ['a frame over the limit', frame({ payload: Buffer.alloc(1001) }), 'too_big'],
  ['a length beyond any limit', frame({ length: Buffer.from([127, 127, 255, 255, 255, 255, 255, 255, 255]) }), 'too_big'],
  ['fragments over the limit', Buffer.concat([frame({ first: 0x02, payload: Buffer.alloc(600) }), frame({ first: 0x80, payload: Buffer.alloc(401) })]), 'too_big'],
]; // prettier-ignore

t.test('a fault is found in whatever portions it comes, and nothing of its frame passes', (t) => {
  for (const [name, bytes, fault] of faults) {
    const whole = read([bytes]);
    const single = read([...bytes].map((byte) => Buffer.from([byte])));
    t.equal(whole.fault, fault, name);
    t.equal(single.fault, fault, `${name}, byte by byte`);
    t.ok(whole.passed.equals(single.passed) && whole.reader.atBorder && single.reader.atBorder, name);
    t.ok(bytes.subarray(0, whole.passed.length).equals(whole.passed) && whole.passed.length < bytes.length);
  }
  t.end();
});

t.test('the agent’s frames must be masked, and its close codes are read through the mask', (t) => {
  const masked = { masked: true };
  t.equal(read([frame()], masked).fault, 'protocol');
  t.equal(read([frame({ masked: true, payload: Buffer.from('hello') })], masked).fault, undefined);
  t.equal(read([frame({ ...masked, first: CLOSE, payload: status(1000) })], masked).fault, undefined);
  t.equal(read([frame({ ...masked, first: CLOSE, payload: status(1005) })], masked).fault, 'protocol');
  t.end();
});

t.test('an extension may use the reserved bits, and nothing else', (t) => {
  t.equal(read([frame({ first: TEXT | 0x40 })], { extended: true }).fault, undefined);
  t.equal(read([frame({ first: 0x83 })], { extended: true }).fault, 'protocol');
  t.end();
});

t.test('whatever the bytes, portions change nothing, and nothing is invented', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.array(fc.nat(60)), (given, cuts) => {
      const bytes = Buffer.from(given);
      const chunks: Buffer[] = [];
      let at = 0;
      for (const cut of cuts) chunks.push(bytes.subarray(at, (at += cut)));
      chunks.push(bytes.subarray(at));
      const [one, many] = [read([bytes]), read(chunks)];
      return (
        one.fault === many.fault &&
        one.passed.equals(many.passed) &&
        one.reader.atBorder === many.reader.atBorder &&
        bytes.subarray(0, one.passed.length).equals(one.passed)
      );
    }),
    { numRuns: 2000 },
  );
  t.end();
});

t.test('our own close frames are read by the rules of their receiver', (t) => {
  t.same(closeFrame('policy', 'agent'), Buffer.from([0x88, 2, 0x03, 0xf0]));
  t.equal(read([closeFrame('bad_gateway', 'agent')]).fault, undefined);
  t.equal(read([closeFrame('going_away', 'upstream')], { masked: true }).fault, undefined);
  const codes = [999, 1000, 1003, 1004, 1005, 1006, 1007, 1014, 1015, 1016, 2999, 3000, 4999, 5000].filter(
    isCloseCode,
  );
  t.same(codes, [1000, 1003, 1007, 1014, 3000, 4999]);
  t.end();
});
