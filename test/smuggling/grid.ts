/** What is played where. Rows of HTTP/2 in the clear come with prior knowledge, those inside TLS by ALPN. */
import { authorityRows } from './cases-authorities.ts';
import { chunkRows } from './cases-chunks.ts';
import { codingRows } from './cases-coding.ts';
import { connectRows, earlyPlainRows, earlyRows, insideRows } from './cases-connect.ts';
import { headerRows } from './cases-headers.ts';
import { http2StreamRows } from './cases-http2-streams.ts';
import { http2Rows } from './cases-http2.ts';
import { lengthRows } from './cases-length.ts';
import { lineRows } from './cases-lines.ts';
import { pipelineRows } from './cases-pipelines.ts';
import { targetRows } from './cases-targets.ts';
import type { Http2Row } from './http2-row.ts';
import { http2Of } from './http2-of.ts';
import { frameHttp2Rows, frameRows, replyHttp2Rows, replyRows } from './replies.ts';
import { expectedOf } from './row.ts';
import type { CarrierName, Row, Way } from './row.ts';

/** Cases of one kind, and where they are played. */
export interface Family {
  readonly name: string;
  readonly rows: readonly (Row | Http2Row)[];
  readonly on: readonly CarrierName[];
}

const FORWARD: readonly Way[] = ['forward'];
/** Where agents may speak HTTP/2. */
const HTTP2: readonly Way[] = ['reverse', 'plain-tunnel', 'tunnel', 'transparent', 'transparent-tls'];
const WAYS: readonly Way[] = [...FORWARD, ...HTTP2];
/** What an origin gets from an agent does not depend on the way in: one of each kind before origins on HTTP/2. */
const HTTP1_TOO: readonly CarrierName[] = [...WAYS, 'plain-tunnel-to-h2'];
const HTTP2_TOO: readonly CarrierName[] = [...HTTP2, 'plain-tunnel-to-h2', 'tunnel-to-h2'];
const TO_HTTP2: readonly CarrierName[] = [
  ...(['plain-tunnel-to-h2', 'tunnel-to-h2'] as const),
  ...(['transparent-to-h2', 'transparent-tls-to-h2'] as const),
];

/** Every carrier, in the order of the documents. */
export const carriers: readonly CarrierName[] = [...WAYS, ...TO_HTTP2];

const saidHttp2Rows = http2Of([...targetRows, ...authorityRows, ...headerRows]);

/** Every case there is, once. */
export const families: readonly Family[] = [
  { name: 'lengths', rows: lengthRows, on: HTTP1_TOO },
  { name: 'codings, and codings beside lengths', rows: codingRows, on: HTTP1_TOO },
  { name: 'chunks', rows: chunkRows, on: HTTP1_TOO },
  { name: 'request lines and line endings', rows: lineRows, on: HTTP1_TOO },
  { name: 'targets', rows: targetRows, on: HTTP1_TOO },
  { name: 'authorities', rows: authorityRows, on: HTTP1_TOO },
  { name: 'headers', rows: headerRows, on: HTTP1_TOO },
  { name: 'pipelines', rows: pipelineRows, on: HTTP1_TOO },
  { name: '`CONNECT`', rows: connectRows, on: FORWARD },
  { name: 'early bytes', rows: earlyRows, on: FORWARD },
  { name: 'early bytes where HTTP in the clear may be', rows: earlyPlainRows, on: ['plain-tunnel'] },
  { name: 'tunnels in tunnels', rows: insideRows, on: HTTP2 },
  { name: 'HTTP/2', rows: http2Rows, on: HTTP2_TOO },
  { name: 'HTTP/2: heads in pieces, streams behind denials', rows: http2StreamRows, on: HTTP2_TOO },
  { name: 'HTTP/2: targets, authorities and headers of HTTP/1', rows: saidHttp2Rows, on: HTTP2 },
  { name: 'HTTP/1.1 replies', rows: replyRows, on: WAYS },
  { name: 'HTTP/1.1 replies, asked for over HTTP/2', rows: replyHttp2Rows, on: HTTP2 },
  { name: 'HTTP/2 replies', rows: frameRows, on: TO_HTTP2 },
  { name: 'HTTP/2 replies, asked for over HTTP/2', rows: frameHttp2Rows, on: TO_HTTP2 },
];

/** The cases of a family that are played there; without those that make no sense. */
export function playedOn({ rows, on }: Family, carrier: CarrierName): readonly (Row | Http2Row)[] {
  return on.includes(carrier) ? rows.filter((row) => expectedOf(row, carrier) !== null) : [];
}
