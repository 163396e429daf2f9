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

t.test('what is overdue comes soon, and Node does not warn of it', async (t) => {
  const warned: unknown[] = [];
  const heed = (warning: unknown): unknown => warned.push(warning);
  process.on('warning', heed);
  t.teardown(() => process.off('warning', heed));
  const awake = setInterval(() => undefined, 1000); // the clock keeps nobody alive
  t.teardown(() => clearInterval(awake));
  await new Promise<void>((resolve) => systemClock.after(-5, resolve));
  await new Promise(setImmediate);
  t.strictSame(warned, []);
});
