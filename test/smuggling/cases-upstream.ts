/** What an upstream may answer to confuse whoever reads it (RFC 9112 §4, §6, §7), or to poison what comes next. */
import type { FailureName } from '../../src/proxy/upstream/failure.ts';
import { PERMIT } from './row.ts';
import type { Answer } from './row.ts';

/**
 * A case: the octets of the reply, and what the agent gets. `{json}` stands for a body that names its request, `{n}` for
 * its length; a bar begins a piece of its own.
 */
export type UpstreamRow = readonly [name: string, reply: string, expected: Answer, method?: 'GET' | 'HEAD'];

const failed = (then: FailureName | 'cut'): Answer => ({ permit: '', then });
const MALFORMED = failed('response_malformed');
const LOST = failed('connection_lost');
const CUT = failed('cut');

const POISON = 'HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\npoison';
const GOOD = 'HTTP/1.1 200 OK\r\ncontent-length: {n}\r\n\r\n{json}';

/** A head with these lines before a good body. */
const head = (name: string, lines: string, expected: Answer): UpstreamRow => [
  name,
  `HTTP/1.1 200 OK\r\n${lines}\r\n\r\n{json}`,
  expected,
];

/** A good head with this line more. */
const line = (name: string, text: string, expected: Answer): UpstreamRow =>
  head(name, `content-length: {n}\r\n${text}`, expected);

/** A status line before a good head. */
const start = (name: string, text: string, expected: Answer): UpstreamRow => [
  name,
  `${text}\r\ncontent-length: {n}\r\n\r\n{json}`,
  expected,
];

/** A body in chunks. */
const chunks = (name: string, body: string, expected: Answer): UpstreamRow => [
  name,
  `HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n${body}`,
  expected,
];

export const upstreamRows: readonly UpstreamRow[] = [
  ['a good reply', GOOD, PERMIT],
  ['a surplus reply', GOOD + POISON, PERMIT],
  ['ten surplus replies', GOOD + POISON.repeat(10), PERMIT],
  ['a surplus reply, cut off', `${GOOD}HTT`, PERMIT],
  ['a surplus line break', `${GOOD}\r\n`, PERMIT],
  ['a surplus NUL', `${GOOD}\0`, PERMIT],
  ['a surplus 100', `${GOOD}HTTP/1.1 100 Continue\r\n\r\n`, PERMIT],
  ['a surplus reply behind chunks', `HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{x}\r\n{json}\r\n0\r\n\r\n${POISON}`, PERMIT],
  ['a surplus reply behind a 204', `HTTP/1.1 204 No Content\r\n\r\n${POISON}`, PERMIT],
  ['a 204 with a length', `HTTP/1.1 204 No Content\r\ncontent-length: 6\r\n\r\npoison`, PERMIT],
  ['a 204 with chunks', `HTTP/1.1 204 No Content\r\ntransfer-encoding: chunked\r\n\r\n6\r\npoison\r\n0\r\n\r\n`, PERMIT],
  ['a 304 with a body', `HTTP/1.1 304 Not Modified\r\ncontent-length: 6\r\n\r\npoison`, PERMIT],
  ['a HEAD with a body', `HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\npoison`, PERMIT, 'HEAD'],
  ['a HEAD with chunks', `HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n6\r\npoison\r\n0\r\n\r\n`, PERMIT, 'HEAD'],
  ['a HEAD with a reply behind it', `HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n${POISON}`, PERMIT, 'HEAD'],

  ['103 before', `HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n${GOOD}`, PERMIT],
  ['102 before', `HTTP/1.1 102 Processing\r\n\r\n${GOOD}`, PERMIT],
  ['199 before', `HTTP/1.1 199 Odd\r\n\r\n${GOOD}`, PERMIT],
  ['100 that nobody expects', `HTTP/1.1 100 Continue\r\n\r\n${GOOD}`, MALFORMED],
  ['101 that nobody asked for', `HTTP/1.1 101 Switching Protocols\r\n\r\n${GOOD}`, MALFORMED],
  ['101 to WebSocket', `HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n${GOOD}`, MALFORMED],
  ['101 to h2c', `HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n${GOOD}`, MALFORMED],
  ['a flood of 102', `${'HTTP/1.1 102 Processing\r\n\r\n'.repeat(9)}${GOOD}`, MALFORMED],
  ['a 103 with a length', `HTTP/1.1 103 Early Hints\r\ncontent-length: 6\r\n\r\n${GOOD}`, PERMIT],

  start('no reason', 'HTTP/1.1 200', PERMIT),
  start('an empty reason', 'HTTP/1.1 200 ', PERMIT),
  start('octets in the reason', 'HTTP/1.1 200 caf\xe9', PERMIT),
  start('a NUL in the reason', 'HTTP/1.1 200 O\0K', PERMIT),
  start('a bare CR in the reason', 'HTTP/1.1 200 O\rK', MALFORMED),
  start('a bare LF in the reason', 'HTTP/1.1 200 OK\nx: y', MALFORMED),
  start('two digits of status', 'HTTP/1.1 20 OK', MALFORMED),
  start('four digits of status', 'HTTP/1.1 2000 OK', MALFORMED),
  start('letters for digits', 'HTTP/1.1 2OO OK', MALFORMED),
  start('status 000', 'HTTP/1.1 000 OK', MALFORMED),
  start('status 099', 'HTTP/1.1 099 OK', MALFORMED),
  start('a minus before the status', 'HTTP/1.1 -200 OK', MALFORMED),
  start('two spaces before the status', 'HTTP/1.1  200 OK', MALFORMED),
  start('a tab before the status', 'HTTP/1.1\t200 OK', MALFORMED),
  start('no status', 'HTTP/1.1', MALFORMED),
  start('HTTP/2', 'HTTP/2 200 OK', MALFORMED),
  start('HTTP/1.2', 'HTTP/1.2 200 OK', MALFORMED),
  start('http/1.1', 'http/1.1 200 OK', MALFORMED),
  start('ICY', 'ICY 200 OK', MALFORMED),
  start('a space before', ' HTTP/1.1 200 OK', MALFORMED),
  start('no status line', '<html>', MALFORMED),
  start('a request', 'GET / HTTP/1.1', MALFORMED),
  start('nothing readable', '\x15\x03\x01\0\x02\x02\x28', MALFORMED),

  line('a coding beside the length', 'transfer-encoding: chunked', MALFORMED),
  ['a length beside the coding', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-length: 6\r\n\r\n0\r\n\r\n', MALFORMED],
  line('a second length', 'content-length: {n}', MALFORMED),
  line('another length', 'content-length: 0', MALFORMED),
  line('a coding of no chunks', 'transfer-encoding: gzip', MALFORMED),
  line('a twin of the length', 'content_length: 0', PERMIT),
  head('a list of lengths', 'content-length: {n}, {n}', MALFORMED),
  head('a length with a plus', 'content-length: +{n}', MALFORMED),
  head('a length with a minus', 'content-length: -{n}', MALFORMED),
  head('a length with a zero', 'content-length: 0{n}', MALFORMED),
  head('a length in hexadecimal', 'content-length: 0x{n}', MALFORMED),
  head('an empty length', 'content-length:', MALFORMED),
  head('a length over 2^64', 'content-length: 18446744073709551620', MALFORMED),
  head('a length over 2^53', 'content-length: 9007199254740993', MALFORMED),
  head('a space before the colon', 'content-length : {n}', MALFORMED),
  head('a folded length', 'content-length:\r\n {n}', MALFORMED),
  head('a length behind a bare LF', 'x: y\ncontent-length: {n}', MALFORMED),
  head('a length behind a bare CR', 'x: y\rcontent-length: {n}', MALFORMED),
  head('chunked in capitals', 'transfer-encoding: Chunked', MALFORMED),
  head('gzip, chunked', 'transfer-encoding: gzip, chunked', MALFORMED),
  head('chunked, identity', 'transfer-encoding: chunked, identity', MALFORMED),
  head('chunked, chunked', 'transfer-encoding: chunked, chunked', MALFORMED),
  head('two codings', 'transfer-encoding: chunked\r\ntransfer-encoding: chunked', MALFORMED),
  head('identity', 'transfer-encoding: identity', MALFORMED),
  head('an odd coding', 'transfer-encoding: xchunked', MALFORMED),
  head('an empty coding', 'transfer-encoding:', MALFORMED),

  line('a NUL in a value', 'x: a\0b', MALFORMED),
  line('a DEL in a value', 'x: a\x7fb', MALFORMED),
  line('a bare LF in a value', 'x: a\nb', MALFORMED),
  line('a bare CR in a value', 'x: a\rb', MALFORMED),
  line('a folded value', 'x: a\r\n b', MALFORMED),
  line('no colon', 'xy', MALFORMED),
  line('no name', ': y', MALFORMED),
  line('a space in a name', 'x y: z', MALFORMED),
  line('a space before a colon', 'x : y', MALFORMED),
  line('a mark of ours', 'writ-decision: deny; id="x"; code=policy_denied', PERMIT),
  line('a mark of ours that Connection lists', 'connection: writ-decision', PERMIT),
  line('another protocol that waits', 'connection: upgrade\r\nupgrade: h2c', PERMIT),
  line('an Alt-Svc', 'alt-svc: h3=":443"', PERMIT),
  line('octets in a value', 'x: caf\xe9', PERMIT),
  line('101 headers', Array.from({ length: 101 }, (_, i) => `x-${i}:`).join('\r\n'), MALFORMED),
  line('1,100 headers that hide a coding', `${'x:\r\n'.repeat(1100)}transfer-encoding: chunked`, MALFORMED),
  line('1,100 headers that hide a length', `${'x:\r\n'.repeat(1100)}content-length: 0`, MALFORMED),
  line('a head of 17 KiB', `x: ${'y'.repeat(17_000)}`, MALFORMED),

  chunks('chunks', '{x}\r\n{json}\r\n0\r\n\r\n', PERMIT),
  chunks('an extension', '{x};a=b\r\n{json}\r\n0\r\n\r\n', PERMIT),
  chunks('trailers that nobody announced', '{x}\r\n{json}\r\n0\r\nx-a: 1\r\nwrit-decision: deny\r\n\r\n', PERMIT),
  chunks('a length as trailer', '{x}\r\n{json}\r\n0\r\ncontent-length: 0\r\n\r\n', CUT),
  chunks('a size of no digits', 'zz\r\n{json}\r\n0\r\n\r\n', CUT),
  chunks('0x before a size', '0x{x}\r\n{json}\r\n0\r\n\r\n', CUT),
  chunks('a space behind a size', '{x} \r\n{json}\r\n0\r\n\r\n', CUT),
  chunks('a bare LF behind a size', '{x}\n{json}\r\n0\r\n\r\n', CUT),
  chunks('a bare LF behind a chunk', '{x}\r\n{json}\n0\r\n\r\n', CUT),
  chunks('no line break behind a chunk', '{x}\r\n{json}0\r\n\r\n', CUT),
  chunks('a size over 2^64', '10000000000000005\r\n{json}\r\n0\r\n\r\n', CUT),
  chunks('a trailer without a colon', '{x}\r\n{json}\r\n0\r\nxy\r\n\r\n', CUT),
  chunks('an end that never comes', '{x}\r\n{json}\r\n^', CUT),
  chunks('half a chunk', '{x}\r\nhalf^', CUT),
  ['half a counted body', 'HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf^', CUT],
  ['half a head', 'HTTP/1.1 200 OK\r\ncontent-le^', LOST],
  ['no word', '^', LOST],
  ['a body that the end of the connection ends', 'HTTP/1.1 200 OK\r\n\r\n{json}^', PERMIT],
  ['a reply of HTTP/1.0', 'HTTP/1.0 200 OK\r\n\r\n{json}^', PERMIT],
  ['a reply of HTTP/1.0 in chunks', 'HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{x}\r\n{json}\r\n0\r\n\r\n', PERMIT],
]; // prettier-ignore
