import t from 'tap';
import { playAll } from './run.ts';

t.setTimeout(400_000);

for (const name of [
  'plain-tunnel-to-h2',
  'tunnel-to-h2',
  'transparent-to-h2',
  'transparent-tls-to-h2',
] as const)
  t.test(
    `what the origin receives over HTTP/2 is what the log says, request for request: ${name}`,
    async (t) => {
      await playAll(t, name);
    },
  );
