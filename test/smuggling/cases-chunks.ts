/** Chunks: sizes, extensions, ends, and what follows them (RFC 9112 §7.1). */
import { permit, PERMIT, post, SMUGGLED } from './row.ts';
import type { Expected, Row, Unusual } from './row.ts';

const chunked = (name: string, body: string, expected: Expected, unusual: Unusual = {}): Row => [
  name,
  post(body, 'Transfer-Encoding: chunked'),
  expected,
  unusual,
];

/** The size line of a chunk that would be `hello`. */
const size = (name: string, line: string, expected: Expected = 'broken'): Row =>
  chunked(name, `${line}hello\r\n0\r\n\r\n`, expected);

/** The last chunk, from its size on. */
const end = (name: string, text: string, expected: Expected = 'broken', unusual?: Unusual): Row =>
  chunked(name, `5\r\nhello\r\n${text}`, expected, unusual);

export const chunkRows: readonly Row[] = [
  size('a chunk', '5\r\n', permit('hello')),
  size('a size with zeros before', '0000005\r\n', permit('hello')),
  size('an extension', '5;a\r\n', permit('hello')),
  size('an extension with a value', '5;a=1\r\n', permit('hello')),
  size('an extension in quotes', '5;a="b;c"\r\n', permit('hello')),
  chunked('a size in small hex', `a\r\n0123456789\r\n0\r\n\r\n`, permit('0123456789')),
  chunked('a size in capital hex', `A\r\n0123456789\r\n0\r\n\r\n`, permit('0123456789')),
  chunked('two chunks', '2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n', permit('hello')),
  chunked('no chunk but the last', '0\r\n\r\n', PERMIT),
  chunked('a request in a chunk', `{length16}\r\n${SMUGGLED}\r\n0\r\n\r\n`, permit(SMUGGLED)),

  size('a space behind the size', '5 \r\n'),
  size('a tab behind the size', '5\t\r\n'),
  size('a space before the size', ' 5\r\n'),
  size('0x before the size', '0x5\r\n'),
  size('a plus', '+5\r\n'),
  size('a minus', '-5\r\n'),
  size('an h behind', '5h\r\n'),
  size('a letter that is no digit', 'g\r\n'),
  size('a comma', '5,5\r\n'),
  size('an underscore', '5_0\r\n'),
  size('a fraction', '5.0\r\n'),
  size('no size', '\r\n'),
  size('no size but an extension', ';a\r\n'),
  size('more than 2^64', '10000000000000005\r\n'),
  chunked('2^64 less one', 'ffffffffffffffff\r\nhello\r\n0\r\n\r\n', 'broken', { ending: 'fin' }),
  size('a hundred digits', `${'f'.repeat(100)}\r\n`),
  size('a NUL behind the size', '5\0\r\n'),
  size('a vertical tab behind the size', '5\x0b\r\n'),
  size('a bare LF behind the size', '5\n'),
  size('a bare CR behind the size', '5\r'),
  size('CR CR LF behind the size', '5\r\r\n'),
  size('LF CR behind the size', '5\n\r'),
  size('a bare LF in an extension', `5;a\n`),
  size('a bare CR in an extension', '5;a\rb\r\n'),
  size('a NUL in an extension', '5;a\0\r\n'),
  size('an open quote before a bare LF', '5;a="\n'),
  size('CR LF in quotes', '5;a="b\r\nc"\r\n'),
  size('a control character in quotes', '5;a="\x01"\r\n'),
  size('16 KiB of extension', `5;${'a'.repeat(17_000)}\r\n`),

  chunked('no CR LF behind a chunk', '5\r\nhello0\r\n\r\n', 'broken'),
  chunked('a bare LF behind a chunk', '5\r\nhello\n0\r\n\r\n', 'broken'),
  chunked('a bare CR behind a chunk', '5\r\nhello\r0\r\n\r\n', 'broken'),
  chunked('CR CR LF behind a chunk', '5\r\nhello\r\r\n0\r\n\r\n', 'broken'),
  chunked('two octets that are no CR LF', '5\r\nhelloXX0\r\n\r\n', 'broken'),
  chunked('a chunk longer than its size', '3\r\nhello\r\n0\r\n\r\n', 'broken'),
  chunked('a chunk shorter than its size', `8\r\nhello\r\n0\r\n\r\n${SMUGGLED}`, 'broken'),
  chunked('a chunk that never ends', '5\r\nhel', 'broken', { ending: 'fin' }),
  chunked('a body that never ends', '5\r\nhello\r\n', 'broken', { ending: 'fin' }),

  end('many zeros', '000000\r\n\r\n', permit('hello')),
  end('an extension at the end', '0;a=b\r\n\r\n', permit('hello')),
  end('minus nothing', '-0\r\n\r\n'),
  end('a space behind the end', '0 \r\n\r\n'),
  end('a bare LF behind the end', '0\n\r\n'),
  end('a bare LF at the very end', '0\r\n\n'),
  end('two bare LF', '0\n\n'),
  end('a bare CR at the very end', '0\r\n\r'),
  end('no end of the last chunk', '0\r\n', 'broken', { ending: 'fin' }),
  end('a request instead of the end', `0\r\n${SMUGGLED}`),
  end('a request behind the end', `0\r\n\r\n${SMUGGLED}`, [permit('hello'), PERMIT]),
  end('garbage behind the end', '0\r\n\r\n\0\0', 'garbled'),

  end('a trailer', '0\r\nX: y\r\n\r\n', 'trailers_unsupported'),
  end('a grant as trailer', '0\r\nWrit-Grant: {grant}\r\n\r\n', 'trailers_unsupported'),
  end('a length as trailer', `0\r\nContent-Length: 5\r\n\r\n${SMUGGLED}`, 'broken'),
  end('a coding as trailer', `0\r\nTransfer-Encoding: chunked\r\n\r\n${SMUGGLED}`, 'broken'),
  end('a Host as trailer', '0\r\nHost: other.test\r\n\r\n', 'trailers_unsupported'),
  end('a trailer without a name', '0\r\n: x\r\n\r\n'),
  end('a trailer with a space before its colon', '0\r\nX : y\r\n\r\n'),
  end('a trailer with a bare LF', '0\r\nX: y\n\r\n'),
  end('a folded trailer', '0\r\nX: y\r\n z\r\n\r\n'),
  end('a hundred trailers', `0\r\n${'X: y\r\n'.repeat(101)}\r\n`, 'trailers_unsupported'),
  end('trailers of 20 KiB', `0\r\nX: ${'y'.repeat(20_000)}\r\n\r\n`),
  [
    'trailers that are announced',
    post('0\r\nX: y\r\n\r\n', 'Trailer: X', 'Transfer-Encoding: chunked'),
    'trailers_unsupported',
  ],
];
