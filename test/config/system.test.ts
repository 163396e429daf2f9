import t from 'tap';
import { systemClock } from '../../src/config/system.ts';

const LONGEST_TIMER = 2 ** 31 - 1;

t.test('what is to come in a month or a year does not come at once', async (t) => {
  const came: number[] = [];
  const waits = [LONGEST_TIMER, LONGEST_TIMER + 1, 31_536_000_000, Number.MAX_SAFE_INTEGER];
  const cancels = waits.map((wait) => systemClock.after(wait, () => came.push(wait)));
  await new Promise((resolve) => setTimeout(resolve, 1)); // behind all that would come after 1 ms
  t.strictSame(came, []);
  for (const cancel of cancels) cancel();
});
