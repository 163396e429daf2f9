/** Cases whose liar is the origin: each request asks for its reply by number. */
import { http2UpstreamRows } from './cases-http2-upstream.ts';
import { upstreamRows } from './cases-upstream.ts';
import { BASE, GRANT } from './http2-row.ts';
import type { Http2Row } from './http2-row.ts';
import { answerBody } from './received.ts';
import type { Received, Script } from './received.ts';
import { request } from './row.ts';
import type { Answer, Row } from './row.ts';

/** Replies of HTTP/1.1, asked for over HTTP/1. */
export const replyRows: readonly Row[] = upstreamRows.map(([name, , expected, method = 'GET'], i) =>
  askHttp1(`a reply: ${name}`, { i, method, expected }),
);

/** The same, asked for over HTTP/2. */
export const replyHttp2Rows: readonly Http2Row[] = upstreamRows.map(([name, , expected, method = 'GET'], i) =>
  askHttp2(`a reply over HTTP/2: ${name}`, { i, method, expected }),
);

/** Replies of HTTP/2, asked for over HTTP/1. */
export const frameRows: readonly Row[] = http2UpstreamRows.map(([name, , expected, unusual = {}], i) => {
  const { method = 'GET', http1 = expected } = unusual;
  return askHttp1(`frames: ${name}`, { i, method, expected: http1 });
});

/** The same, asked for over HTTP/2. */
export const frameHttp2Rows: readonly Http2Row[] = http2UpstreamRows.map(
  ([name, , expected, { method = 'GET' } = {}], i) =>
    askHttp2(`frames over HTTP/2: ${name}`, { i, method, expected }),
);

interface Wish {
  readonly i: number;
  readonly method: string;
  readonly expected: Answer;
}

function askHttp1(name: string, { i, method, expected }: Wish): Row {
  return [name, request(method, '/a', [`X-Reply: ${i}`]), expected, { bodiless: method === 'HEAD' }];
}

function askHttp2(name: string, { i, method, expected }: Wish): Http2Row {
  return [name, [...BASE.with(1, method), ...GRANT, 'x-reply', String(i)], expected];
}

/** Writes the reply that a request asks for, at once; a circumflex ends the connection. Later pieces: proxy/transport-pool.test.ts. */
export const lieInHttp1: Script = (received, { socket }) => {
  const [, reply] = upstreamRows[wantedBy(received)] ?? [];
  if (reply === undefined) return false;
  const json = answerBody(received);
  const text = reply
    .replaceAll('{json}', json)
    .replaceAll('{n}', String(json.length))
    .replaceAll('{x}', json.length.toString(16));
  socket.write(text.replace('^', ''), 'latin1');
  if (text.endsWith('^')) socket.end();
  return true;
};

/** Writes the frames that a request asks for, in one piece. */
export const lieInHttp2: Script = (received, { socket, stream }) => {
  const [, reply] = http2UpstreamRows[wantedBy(received)] ?? [];
  const frames = reply?.({ stream, json: answerBody(received) }) ?? [];
  socket.write(Buffer.concat(frames.filter((one) => one !== null)));
  if (frames.includes(null)) socket.end();
  return reply !== undefined;
};

function wantedBy({ headers }: Received): number {
  return Number(headers.find(([name]) => name === 'x-reply')?.[1] ?? -1);
}
