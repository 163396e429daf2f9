import t from 'tap';
import { playAll } from './run.ts';

t.setTimeout(400_000);

t.test(
  'what the origin receives in the clear inside CONNECT is what the log says, request for request',
  async (t) => {
    await playAll(t, 'plain-tunnel');
  },
);
