import t from 'tap';
import { playAll } from './run.ts';

t.setTimeout(400_000);

for (const name of ['transparent', 'transparent-tls'] as const)
  t.test(
    `what the origin receives on the transparent port is what the log says, request for request: ${name}`,
    async (t) => {
      await playAll(t, name);
    },
  );
