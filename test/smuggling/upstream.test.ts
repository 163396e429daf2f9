import t from 'tap';
import { startCarrier } from './carriers.ts';
import { upstreamRows } from './cases-upstream.ts';
import type { Asker, Received } from './received.ts';
import { get, request } from './row.ts';
import type { Row } from './row.ts';
import { playHttp1 } from './play-http1.ts';
import { playRows } from './run.ts';

t.setTimeout(180_000);

/** Each case asks for its reply by number. */
const rows: readonly Row[] = upstreamRows.map(([name, , expected, method = 'GET'], i) => [
  name,
  method === 'GET' ? get(`X-Reply: ${i}`) : request('HEAD', '/a', [`X-Reply: ${i}`]),
  expected,
  { bodiless: method === 'HEAD' },
]);

for (const carrier of ['forward', 'tunnel'] as const)
  t.test(
    `no reply of an upstream is taken for another one, nor for what it is not: ${carrier}`,
    async (t) => {
      await playRows(t, await startCarrier(t, carrier, answer), { rows, play: playHttp1 });
    },
  );

/** Writes the reply that a request asks for, at once; a circumflex ends the connection. Later pieces: proxy/transport-pool.test.ts. */
function answer({ headers }: Received, { socket }: Asker): boolean {
  const find = (wanted: string): string | undefined => headers.find(([name]) => name === wanted)?.[1];
  const [, reply] = upstreamRows[Number(find('x-reply') ?? -1)] ?? [];
  if (reply === undefined) return false;
  const json = JSON.stringify({ trace: find('traceparent') });
  const text = reply
    .replaceAll('{json}', json)
    .replaceAll('{n}', String(json.length))
    .replaceAll('{x}', json.length.toString(16));
  socket.write(text.replace('^', ''), 'latin1');
  if (text.endsWith('^')) socket.end();
  return true;
}
