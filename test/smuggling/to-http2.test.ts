import t from 'tap';
import { startCarrier } from './carriers.ts';
import { http2UpstreamRows } from './cases-http2-upstream.ts';
import { BASE } from './cases-http2.ts';
import type { Http2Row } from './cases-http2.ts';
import { http1Rows } from './http1-rows.ts';
import { playHttp1 } from './play-http1.ts';
import { playHttp2 } from './play-http2.ts';
import { answerBody } from './received.ts';
import type { Asker, Received } from './received.ts';
import { request } from './row.ts';
import type { Row } from './row.ts';
import { playRows } from './run.ts';

t.setTimeout(180_000);

/** Each case asks for its reply by number. */
const rows: readonly Row[] = http2UpstreamRows.map(([name, , expected, unusual = {}], i) => {
  const { method = 'GET', http1 = expected } = unusual;
  return [name, request(method, '/a', [`X-Reply: ${i}`]), http1, { bodiless: method === 'HEAD' }];
});
const http2Rows: readonly Http2Row[] = http2UpstreamRows.map(
  ([name, , expected, { method = 'GET' } = {}], i) => {
    return [name, [...BASE.with(1, method), 'x-reply', String(i)], expected];
  },
);

t.test(
  'what an origin receives over HTTP/2 from agents on HTTP/1 is what the log says, request for request',
  async (t) => {
    await playRows(t, await startCarrier(t, 'tunnel-to-h2'), { rows: http1Rows, play: playHttp1 });
  },
);

for (const way of ['tunnel-to-h2', 'plain-tunnel-to-h2'] as const) {
  t.test(
    `no frames of an upstream are taken for what they are not: ${way}, an agent on HTTP/1`,
    async (t) => {
      await playRows(t, await startCarrier(t, way, answer), { rows, play: playHttp1 });
    },
  );

  t.test(
    `no frames of an upstream are taken for what they are not: ${way}, an agent on HTTP/2`,
    async (t) => {
      await playRows(t, await startCarrier(t, way, answer), { rows: http2Rows, play: playHttp2 });
    },
  );
}

/** Writes the frames that a request asks for, in one piece. */
function answer(received: Received, { socket, stream }: Asker): boolean {
  const wanted = received.headers.find(([name]) => name === 'x-reply')?.[1];
  const [, reply] = http2UpstreamRows[Number(wanted ?? -1)] ?? [];
  const frames = reply?.({ stream, json: answerBody(received) }) ?? [];
  socket.write(Buffer.concat(frames.filter((one) => one !== null)));
  if (frames.includes(null)) socket.end();
  return reply !== undefined;
}
