/** Names to mint certificates for, without end: the cache stays bounded, and honest handshakes go on (names.ts). */
import t from 'tap';
import { freshNames, startNames } from './names.ts';

const GROWTH_MIB = 64;

t.test('an agent that shakes hands under ever new names takes no memory and keeps nobody out', async (t) => {
  const { shake } = await startNames(t);
  await shake(freshNames(270, 'warm')); // the cache is full from here on
  const { honest, mebibytes } = await shake(freshNames(530, 'new'));
  t.ok(honest.length > 4 && honest.every((status) => status === 200), 'an honest agent is served meanwhile');
  t.ok(mebibytes < GROWTH_MIB, `${mebibytes.toFixed(1)} MiB more`);
});
