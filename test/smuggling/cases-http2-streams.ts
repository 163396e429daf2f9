/** Heads in pieces, and further requests on their connection: behind denials, and beside what is not read (RFC 9113 §5, §6.10). */
import type { DenialCode } from '../../src/denial/table.ts';
import { END_HEADERS, END_STREAM, frame, TYPE } from '../proxy/http2-frames.ts';
import { BASE, data, GRANT, head } from './http2-row.ts';
import type { Http2Row, Rest } from './http2-row.ts';
import { PERMIT, SMUGGLED } from './row.ts';
import type { Answer, Expected } from './row.ts';

const GOOD = [...BASE, ...GRANT];
const DENIED = [...BASE, 'writ-grant', 'x'];
const BROKEN = [...GOOD, 'expect', 'tea'];
const denied: DenialCode = 'grant_malformed';

/** A good head in two frames, with these between. */
const inPieces = (name: string, expected: Expected, ...between: readonly Uint8Array[]): Http2Row => [
  `a head in pieces${name}`,
  GOOD,
  expected,
  { between },
];
/** A head, and further ones behind it. */
const streams = (
  name: string,
  [first = [], ...also]: readonly (readonly string[])[],
  expected: Expected,
  rest: Rest = {},
): Http2Row => [`streams: ${name}`, first, expected, { ...rest, also }];
const times = <T>(count: number, one: T): readonly T[] => Array.from({ length: count }, () => one);

export const http2StreamRows: readonly Http2Row[] = [
  inPieces('', PERMIT),
  inPieces(', one of them empty', PERMIT, frame(TYPE.CONTINUATION, 0, { stream: 1 })),
  inPieces(', with DATA between', 'broken', data(END_STREAM, SMUGGLED)),
  inPieces(', with DATA of another stream between', 'broken', data(END_STREAM, SMUGGLED, 3)),
  inPieces(', with another head between', 'broken', head(END_STREAM, GOOD, 3)),
  inPieces(', with its head again between', 'broken', head(END_STREAM, GOOD)),
  inPieces(', with one of another stream', 'broken', frame(TYPE.CONTINUATION, END_HEADERS, { stream: 3 })),
  inPieces(', with one of the connection', 'broken', frame(TYPE.CONTINUATION, END_HEADERS)),
  inPieces(', with PING between', 'broken', frame(TYPE.PING, 0, { payload: Buffer.alloc(8) })),
  inPieces(', with SETTINGS between', 'broken', frame(TYPE.SETTINGS, 0)),
  inPieces(', with RST_STREAM between', 'broken', frame(TYPE.RST_STREAM, 0, { stream: 1, payload: Buffer.alloc(4) })),
  inPieces(', with a frame of no known type between', 'broken', frame(77, 0, { stream: 1 })),
  inPieces(', with HTTP/1 between', 'broken', Buffer.from(SMUGGLED)),

  streams('two', [GOOD, GOOD], [PERMIT, PERMIT]),
  streams('twenty', times(20, GOOD), times(20, PERMIT)),
  streams('a denial before', [DENIED, GOOD], [denied, PERMIT]),
  streams('a denial between', [GOOD, DENIED, GOOD], [PERMIT, denied, PERMIT]),
  streams('ten denials before', [...times(10, DENIED), GOOD], [...times<Answer>(10, denied), PERMIT]),
  streams('a denied body before', [DENIED.with(1, 'POST'), GOOD], [denied, PERMIT], { data: SMUGGLED }),
  streams('a denied body with trailers before', [DENIED.with(1, 'POST'), GOOD], [denied, PERMIT], { data: SMUGGLED, trailers: ['x-sum', '1'] }),
  streams('a broken rule before', [BROKEN, GOOD], ['expect_unsupported', PERMIT]),
  streams('a broken rule behind', [GOOD, BROKEN], [PERMIT, 'expect_unsupported']),
]; // prettier-ignore
