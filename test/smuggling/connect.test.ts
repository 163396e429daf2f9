import t from 'tap';
import { startCarrier } from './carriers.ts';
import { connectRows, earlyRows, insideRows } from './cases-connect.ts';
import { playHttp1 } from './play-http1.ts';
import { playRows } from './run.ts';

t.setTimeout(180_000);

t.test('a CONNECT that is refused lets nothing out, whatever is behind it', async (t) => {
  await playRows(t, await startCarrier(t, 'forward'), { rows: connectRows, play: playHttp1 });
});

t.test('what comes early and is no TLS goes nowhere', async (t) => {
  await playRows(t, await startCarrier(t, 'forward'), { rows: earlyRows, play: playHttp1 });
});

t.test('a tunnel inside a tunnel is refused', async (t) => {
  for (const name of ['tunnel', 'plain-tunnel', 'reverse', 'transparent', 'transparent-tls'] as const)
    await playRows(t, await startCarrier(t, name), { rows: insideRows, play: playHttp1 });
});
