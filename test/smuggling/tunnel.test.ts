import t from 'tap';
import { playAll } from './run.ts';

t.setTimeout(400_000);

t.test(
  'what the origin receives inside TLS that CONNECT opened is what the log says, request for request',
  async (t) => {
    await playAll(t, 'tunnel');
  },
);
