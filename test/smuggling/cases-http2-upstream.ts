/** What an upstream on HTTP/2 may answer to confuse whoever reads it (RFC 9113 §5–8), frame by frame. */
import type { FailureName } from '../../src/proxy/upstream/failure.ts';
import { block, END_HEADERS, END_STREAM, frame, TYPE } from '../proxy/http2-frames.ts';
import { PERMIT } from './row.ts';
import type { Answer } from './row.ts';

/** Who is answered: a stream, and a body that names its request. */
export interface Asked {
  readonly stream: number;
  readonly json: string;
}

/** A case: the frames of the reply, and what the agent gets. Null among them ends the connection. */
export type Http2UpstreamRow = readonly [
  name: string,
  reply: (asked: Asked) => readonly (Uint8Array | null)[],
  expected: Answer,
  unusual?: UnusualReply,
];

/** What is unusual about a reply. */
export interface UnusualReply {
  readonly method?: 'HEAD';
  /** What an agent on HTTP/1 gets. */
  readonly http1?: Answer;
}

const failed = (then: FailureName | 'cut' | 'torn'): Answer => ({ permit: '', then });
const MALFORMED = failed('response_malformed');
const LOST = failed('connection_lost');
const CUT = failed('cut');
const TORN = failed('torn');

const head = ({ stream }: Asked, fields: readonly string[], flags = 0): Buffer =>
  frame(TYPE.HEADERS, END_HEADERS | flags, { stream, payload: block(...fields) });
const last = (asked: Asked, fields: readonly string[]): Buffer => head(asked, fields, END_STREAM);
const data = ({ stream }: Asked, text: string, flags = 0): Buffer =>
  frame(TYPE.DATA, flags, { stream, payload: Buffer.from(text, 'latin1') });
const end = (asked: Asked, text: string): Buffer => data(asked, text, END_STREAM);
const reset = ({ stream }: Asked, code: number): Buffer =>
  frame(TYPE.RST_STREAM, 0, { stream, payload: word(code) });
const goaway = (stream: number, code: number): Buffer => frame(TYPE.GOAWAY, 0, { payload: Buffer.concat([word(stream), word(code)]) }); // prettier-ignore

const OK = [':status', '200'] as const;

/** An agent on HTTP/1 may have had its whole answer before there was a body too many. */
const BELIED: UnusualReply = { http1: TORN };
const good = (asked: Asked): readonly Buffer[] => [
  head(asked, [...OK, 'content-length', String(asked.json.length)]),
  end(asked, asked.json),
];
const POISON = (asked: Asked): readonly Buffer[] => [
  head(asked, [...OK, 'content-length', '6']),
  end(asked, 'poison'),
];

/** These fields beside a good status, and the body. */
const fields = (
  name: string,
  list: readonly string[],
  expected: Answer,
  unusual: UnusualReply = {},
): Http2UpstreamRow => [
  name,
  (asked) => [head(asked, [...OK, ...list]), end(asked, asked.json)],
  expected,
  unusual,
];
/** These fields instead of a status. */
const status = (name: string, list: readonly string[], expected: Answer): Http2UpstreamRow => [
  `status ${name}`,
  (asked) => [head(asked, list), end(asked, asked.json)],
  expected,
];
/** Frames before a good reply. */
const before = (
  name: string,
  frames: (asked: Asked) => readonly Uint8Array[],
  expected: Answer,
): Http2UpstreamRow => [`${name} before`, (asked) => [...frames(asked), ...good(asked)], expected];
/** Frames behind a good reply: those that end the connection may be faster than the reply. */
const behind = (
  name: string,
  frames: (asked: Asked) => readonly Uint8Array[],
  expected: Answer = PERMIT,
): Http2UpstreamRow => [`${name} behind`, (asked) => [...good(asked), ...frames(asked)], expected];
/** Frames where a body has begun and was not said to end. */
const within = (
  name: string,
  frames: (asked: Asked) => readonly (Uint8Array | null)[],
  expected = CUT,
): Http2UpstreamRow => [
  `${name} in the middle`,
  (asked) => [head(asked, OK), data(asked, 'half'), ...frames(asked)],
  expected,
];
/** Trailers behind the body. */
const trailing = (name: string, list: readonly string[], expected: Answer): Http2UpstreamRow => [
  `trailers: ${name}`,
  (asked) => [head(asked, OK), data(asked, asked.json), last(asked, list)],
  expected,
];
const informational =
  (code: string, times = 1) =>
  (asked: Asked): readonly Buffer[] =>
    Array.from({ length: times }, () => head(asked, [':status', code]));
const many = (count: number): readonly string[] =>
  Array.from({ length: count }, (_, i) => [`x-${i}`, '']).flat();
const next = ({ stream, json }: Asked, by: number): Asked => ({ stream: stream + by, json });
const nowhere = (json: string): Asked => ({ stream: 0, json });

export const http2UpstreamRows: readonly Http2UpstreamRow[] = [
  ['a good reply', good, PERMIT],
  ['a reply without a length', (a) => [head(a, OK), end(a, a.json)], PERMIT],
  ['a reply in pieces', (a) => [head(a, OK), ...[...a.json].map((octet) => data(a, octet)), end(a, '')], PERMIT],
  ['a padded reply', (a) => [head(a, OK), frame(TYPE.DATA, 8 | END_STREAM, { stream: a.stream, payload: Buffer.from(`\x06${a.json}poison`) })], PERMIT],
  ['a head in pieces', (a) => [frame(TYPE.HEADERS, 0, { stream: a.stream, payload: block(...OK) }), frame(TYPE.CONTINUATION, END_HEADERS, { stream: a.stream, payload: block('x', 'y') }), end(a, a.json)], PERMIT],
  ['a 204', (a) => [last(a, [':status', '204'])], PERMIT],
  ['a 204 with a body', (a) => [head(a, [':status', '204']), end(a, 'poison')], PERMIT, BELIED],
  ['a 204 with a length', (a) => [last(a, [':status', '204', 'content-length', '6'])], LOST],
  ['a 304 with a length', (a) => [last(a, [':status', '304', 'content-length', '6'])], PERMIT],
  ['a 304 with a body', (a) => [head(a, [':status', '304']), end(a, 'poison')], PERMIT, BELIED],
  ['a HEAD with a length', (a) => [last(a, [...OK, 'content-length', '6'])], PERMIT, { method: 'HEAD' }],
  ['a HEAD with a body', (a) => [head(a, OK), end(a, 'poison')], PERMIT, { method: 'HEAD', ...BELIED }],

  before('103', informational('103'), PERMIT),
  before('102', informational('102'), PERMIT),
  before('199', informational('199'), PERMIT),
  before('100 that nobody expects', informational('100'), PERMIT),
  before('101', informational('101'), LOST),
  before('eight 102', informational('102', 8), PERMIT),
  before('a flood of 102', informational('102', 9), MALFORMED),
  before('a storm of 103', informational('103', 500), MALFORMED),
  before('a 103 with a length', (a) => [head(a, [':status', '103', 'content-length', '6'])], LOST),
  before('a 103 with DATA', (a) => [head(a, [':status', '103']), data(a, 'poison')], LOST),
  ['a 103 that is all', (a) => [last(a, [':status', '103'])], LOST],
  ['a 100 that is all', (a) => [last(a, [':status', '100'])], LOST],
  ['a 103 behind the head', (a) => [head(a, OK), head(a, [':status', '103']), end(a, a.json)], CUT],

  before('DATA', (a) => [data(a, 'poison')], LOST),
  ['DATA only', (a) => [end(a, 'poison')], LOST],
  before('empty DATA', (a) => [data(a, '')], LOST),
  ['no head, but an end', (a) => [end(a, '')], LOST],
  ['no head, but trailers', (a) => [last(a, ['x', '1'])], LOST],
  ['RST_STREAM only', (a) => [reset(a, 2)], LOST],
  ['RST_STREAM without an error only', (a) => [reset(a, 0)], LOST],
  ['REFUSED_STREAM only', (a) => [reset(a, 7)], LOST],
  ['the end only', () => [null], LOST],
  ['GOAWAY only', () => [goaway(0, 0)], LOST],
  ['GOAWAY with an error only', (a) => [goaway(a.stream, 1)], LOST],
  before('GOAWAY', (a) => [goaway(a.stream, 0)], PERMIT),

  within('the end', () => [null]),
  within('RST_STREAM', (a) => [reset(a, 2)]),
  within('CANCEL', (a) => [reset(a, 8)]),
  within('RST_STREAM without an error', (a) => [reset(a, 0)]),
  within('GOAWAY with an error', (a) => [goaway(a.stream, 2)]),
  within('GOAWAY and the end', (a) => [goaway(a.stream, 0), null]),
  within('GOAWAY that leaves it out', () => [goaway(0, 0), null]),
  within('trailers without an end', (a) => [head(a, ['x', '1'])]),
  within('a second head', (a) => [...POISON(a)]),
  within('a second head that is the end', (a) => [last(a, OK)]),
  within('a promise', (a) => [promise(a)]),
  within('padding that is longer than its frame', (a) => [frame(TYPE.DATA, 8, { stream: a.stream, payload: Buffer.from([200, 1]) })]),
  within('HTTP/1', () => [Buffer.from('HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\npoison')]),
  within('a window that overflows', (a) => [frame(TYPE.WINDOW_UPDATE, 0, { stream: a.stream, payload: word(2 ** 31 - 1) })]),
  within('a window of nothing', (a) => [frame(TYPE.WINDOW_UPDATE, 0, { stream: a.stream, payload: word(0) })]),
  ['GOAWAY in the middle of a good reply', (a) => [head(a, OK), goaway(a.stream, 0), end(a, a.json)], PERMIT],

  behind('DATA', (a) => [end(a, 'poison')], TORN),
  behind('a whole reply', POISON, TORN),
  behind('ten replies', (a) => Array.from({ length: 10 }, () => POISON(a)).flat(), TORN),
  behind('trailers', (a) => [last(a, ['x', '1'])], TORN),
  behind('RST_STREAM without an error', (a) => [reset(a, 0)]),
  behind('CANCEL', (a) => [reset(a, 8)], TORN),
  behind('PROTOCOL_ERROR', (a) => [reset(a, 1)], TORN),
  behind('a window', (a) => [frame(TYPE.WINDOW_UPDATE, 0, { stream: a.stream, payload: word(1) })]),
  behind('GOAWAY', (a) => [goaway(a.stream, 0)]),
  behind('GOAWAY with an error', (a) => [goaway(a.stream, 2)], TORN),
  behind('a reply to a stream that is not open', (a) => [...POISON(next(a, 2))], TORN),
  behind('a promise', (a) => [promise(a)], TORN),
  behind('HTTP/1', () => [Buffer.from('HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\npoison')], TORN),
  behind('no frame', () => [Buffer.alloc(9, 255)], TORN),

  before('a reply to a stream that is not open', (a) => POISON(next(a, 2)), LOST),
  before('DATA on a stream that is not open', (a) => [end(next(a, 2), 'poison')], LOST),
  before('a reply to a stream of ours', (a) => POISON(next(a, 1)), LOST),
  before('a reply to the connection', ({ json }) => POISON(nowhere(json)), LOST),
  before('a promise', (a) => [promise(a)], LOST),
  before('SETTINGS that allow a promise', () => [settings(2, 1)], LOST),
  before('SETTINGS of nobody', () => [settings(77, 1)], PERMIT),
  before('a frame size that is none', () => [settings(5, 1)], LOST),
  before('a window that is none', () => [settings(4, 2 ** 31)], LOST),
  before('SETTINGS on the stream', ({ stream }) => [frame(TYPE.SETTINGS, 0, { stream })], LOST),
  before('PING', () => [frame(TYPE.PING, 0, { payload: Buffer.alloc(8) })], PERMIT),
  before('a flood of PING', () => Array.from({ length: 300 }, () => frame(TYPE.PING, 0, { payload: Buffer.alloc(8) })), LOST),
  before('a flood of SETTINGS', () => Array.from({ length: 300 }, () => frame(TYPE.SETTINGS, 0)), LOST),
  before('a CONTINUATION of nothing', ({ stream }) => [frame(TYPE.CONTINUATION, END_HEADERS, { stream })], LOST),
  before('a frame of no known type', ({ stream }) => [frame(77, 255, { stream, payload: Buffer.from('poison') })], PERMIT),
  before('ALTSVC', ({ stream }) => [frame(10, 0, { stream, payload: Buffer.from('\0\0h3=":443"') })], PERMIT),
  before('ORIGIN', () => [frame(12, 0, { payload: Buffer.from('\0\x14https://other.test:1') })], PERMIT),
  before('a frame over 16 KiB', (a) => [data(a, 'x'.repeat(16_385))], LOST),
  before('a block that is none', ({ stream }) => [frame(TYPE.HEADERS, END_HEADERS, { stream, payload: Buffer.from([0xff, 0xff]) })], LOST),
  ['HTTP/1', () => [Buffer.from('HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\npoison')], LOST],

  status('missing', ['x', '1'], LOST),
  status('twice', [...OK, ...OK], LOST),
  status('behind a field', ['x', '1', ...OK], LOST),
  status('empty', [':status', ''], LOST),
  status('of two digits', [':status', '20'], LOST),
  status('of four digits', [':status', '2000'], LOST),
  status('of letters', [':status', '2OO'], LOST),
  status('000', [':status', '000'], LOST),
  status('099', [':status', '099'], LOST),
  status('with a sign', [':status', '+20'], LOST),
  status('with a space', [':status', ' 200'], LOST),
  status('with a reason', [':status', '200 OK'], LOST),
  status('with CR LF', [':status', '200\r\nx: y'], LOST),
  status('599', [':status', '599'], PERMIT),

  fields('a pseudo-header of requests', [':path', '/smuggled'], LOST),
  fields('a pseudo-header of nobody', [':odd', '1'], LOST),
  fields('a pseudo-header behind a field', ['x', '1', ':odd', '1'], LOST),
  fields('capitals in a name', ['X-A', '1'], LOST),
  fields('connection', ['connection', 'close'], LOST),
  fields('connection that lists a field', ['connection', 'x-listed', 'x-listed', '1'], LOST),
  fields('keep-alive', ['keep-alive', '1'], LOST),
  fields('proxy-connection', ['proxy-connection', 'close'], LOST),
  fields('transfer-encoding', ['transfer-encoding', 'chunked'], LOST),
  fields('upgrade', ['upgrade', 'h2c'], LOST),
  fields('te', ['te', 'trailers'], PERMIT),
  fields('an Alt-Svc', ['alt-svc', 'h3=":443"'], PERMIT),
  fields('a mark of ours', ['writ-decision', 'deny; id="x"; code=policy_denied'], PERMIT),
  fields('our word on the proxy', ['proxy-status', 'writ; error=x'], PERMIT),
  fields('octets beyond ASCII in a value', ['x', 'caf\xe9'], PERMIT),
  fields('CR LF in a value', ['x', 'y\r\nwrit-decision: deny'], PERMIT),
  fields('a whole reply in a value', ['x', 'y\r\n\r\nHTTP/1.1 200 OK\r\n\r\n'], PERMIT),
  fields('a NUL in a value', ['x', 'a\0b'], PERMIT),
  fields('CR LF in a name', ['x: y\r\nz', '1'], PERMIT),
  fields('a space in a name', ['x y', '1'], PERMIT),
  fields('no name', ['', '1'], PERMIT),
  fields('100 fields', many(100), PERMIT),
  fields('101 fields', many(101), MALFORMED),
  fields('300 fields', many(300), LOST),
  fields('17 KiB of them in one frame', ['x', 'y'.repeat(16_000), 'z', 'y'.repeat(1000)], LOST),
  ['a head of 32 KiB', (a) => [frame(TYPE.HEADERS, 0, { stream: a.stream, payload: block(...OK, 'x', 'y'.repeat(16_000)) }), frame(TYPE.CONTINUATION, END_HEADERS, { stream: a.stream, payload: block('z', 'y'.repeat(16_000)) }), end(a, a.json)], MALFORMED],

  fields('a twin of the length', ['content_length', '0'], PERMIT),
  fields('a length of nothing', ['content-length', '0'], CUT, BELIED),
  fields('a length too small', ['content-length', '6'], CUT),
  fields('a length too large', ['content-length', '9999'], CUT),
  fields('two lengths', ['content-length', '6', 'content-length', '6'], LOST),
  fields('a list of lengths', ['content-length', '6, 6'], LOST),
  fields('a length with a sign', ['content-length', '+6'], LOST),
  fields('a length with a zero', ['content-length', '0006'], MALFORMED),
  fields('a length in hexadecimal', ['content-length', '0x6'], LOST),
  fields('an empty length', ['content-length', ''], LOST),
  fields('a length over 2^53', ['content-length', '9007199254740993'], MALFORMED),
  fields('a length over 2^64', ['content-length', '18446744073709551622'], LOST),
  ['a length of what never comes', (a) => [last(a, [...OK, 'content-length', '6'])], LOST],
  ['a length that RST_STREAM belies', (a) => [head(a, [...OK, 'content-length', '6']), data(a, 'hal'), reset(a, 0)], CUT],
  ['a length that trailers belie', (a) => [head(a, [...OK, 'content-length', '9999']), data(a, a.json), last(a, ['x', '1'])], CUT],

  trailing('any', ['x-sum', '1'], PERMIT),
  trailing('none', [], PERMIT),
  trailing('a length', ['content-length', '6'], CUT),
  trailing('a mark of ours', ['writ-decision', 'deny'], PERMIT),
  trailing('a second status', [':status', '200'], CUT),
  trailing('a pseudo-header', [':path', '/smuggled'], CUT),
  trailing('a coding', ['transfer-encoding', 'chunked'], CUT),
  trailing('a Connection', ['connection', 'close'], CUT),
  trailing('capitals', ['X', '1'], CUT),
  trailing('CR LF', ['x', 'y\r\n\r\nHTTP/1.1 200 OK\r\n\r\n'], PERMIT),
  trailing('300 of them', many(300), CUT),
]; // prettier-ignore

/** A request of the upstream's own for `/poison`, and the reply to it. */
function promise(asked: Asked): Buffer {
  const request = block(':method', 'GET', ':scheme', 'https', ':authority', 'localhost', ':path', '/poison');
  return Buffer.concat([
    frame(TYPE.PUSH_PROMISE, END_HEADERS, {
      stream: asked.stream,
      payload: Buffer.concat([word(2), request]),
    }),
    ...POISON({ ...asked, stream: 2 }),
  ]);
}

function settings(name: number, value: number): Buffer {
  const payload = Buffer.alloc(6);
  payload.writeUInt16BE(name, 0);
  payload.writeUInt32BE(value, 2);
  return frame(TYPE.SETTINGS, 0, { payload });
}

function word(value: number): Buffer {
  const octets = Buffer.alloc(4);
  octets.writeUInt32BE(value, 0);
  return octets;
}
