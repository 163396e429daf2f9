import t from 'tap';
import { startCarrier } from './carriers.ts';
import { http1Rows } from './http1-rows.ts';
import { playHttp1 } from './play-http1.ts';
import { playRows } from './run.ts';

t.setTimeout(180_000);

t.test(
  'what the origin receives on the forward port is what the log says, request for request',
  async (t) => {
    await playRows(t, await startCarrier(t, 'forward'), { rows: http1Rows, play: playHttp1 });
  },
);
