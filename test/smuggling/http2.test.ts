import t from 'tap';
import { startCarrier } from './carriers.ts';
import { http2Rows } from './cases-http2.ts';
import { playHttp2 } from './play-http2.ts';
import { playRows } from './run.ts';

t.setTimeout(180_000);

const ways = [
  ...(['tunnel', 'transparent-tls', 'tunnel-to-h2'] as const),
  ...(['plain-tunnel', 'transparent', 'plain-tunnel-to-h2'] as const),
];

for (const name of ways)
  t.test(
    `what the origin receives over HTTP/2 is what the log says, request for request: ${name}`,
    async (t) => {
      await playRows(t, await startCarrier(t, name), { rows: http2Rows, play: playHttp2 });
    },
  );
