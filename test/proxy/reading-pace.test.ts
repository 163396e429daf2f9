/** Bodies that are held are read so fast that others get their turns, and no faster than the disk. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import t from 'tap';
import { ReadingPace } from '../../src/proxy/reading-pace.ts';

const READ = 64 * 1024;

/** As many readers as this, which read as often as they may; what was read in each turn, in bytes. */
async function readersOf(pace: ReadingPace, readers: number, turns: number): Promise<readonly number[]> {
  let bytes = 0;
  let over = false;
  const read = (agent: string): void => {
    if (over) return;
    bytes += READ;
    void pace.take(agent, READ)?.then(() => setImmediate(() => read(agent)));
  };
  for (let i = 0; i < readers; i++) read('one');
  const each: number[] = [];
  for (let turn = 0; turn < turns; turn++) {
    each.push(bytes);
    bytes = 0;
    await nextTurn();
  }
  over = true;
  return each;
}

t.test(
  'what comes at once waits for turns to make up for it, and then only so much comes in each',
  async (t) => {
    const [first = 0, ...others] = await readersOf(new ReadingPace(), 100, 300);
    t.equal(first, 100 * READ);
    const since = others.findIndex((read) => read > 0);
    t.ok(since > 90, 'it is made up for first');
    const later = others.slice(since);
    t.equal(Math.max(...later), READ);
    t.ok(later.reduce((sum, read) => sum + read) >= (later.length / 3) * READ, 'and it goes on');
  },
);

t.test('one body alone waits for a turn after each 64 KiB', async (t) => {
  const pace = new ReadingPace();
  const asked = [1, 2, 3, 4].map(() => pace.take('one', READ / 4));
  t.strictSame(asked.slice(0, 3), [undefined, undefined, undefined]);
  t.equal(await asked[3], undefined);
  t.equal(pace.take('one', READ / 2), undefined);
});

t.test('every agent has its turn, however many bodies another one sends', async (t) => {
  const pace = new ReadingPace();
  const order: string[] = [];
  const all = ['greedy', 'greedy', 'greedy', 'greedy', 'modest', 'other'].map(async (agent) => {
    await pace.take(agent, READ);
    order.push(agent);
    await pace.take(agent, READ);
    order.push(agent);
  });
  await Promise.all(all);
  t.strictSame(order.slice(0, 6), ['greedy', 'modest', 'other', 'greedy', 'modest', 'other']);
  t.equal(order.length, 12);
});

t.test('while much waits for the disk nothing more is read', async (t) => {
  const pace = new ReadingPace();
  const writes = Array.from({ length: 16 }, () => Promise.withResolvers<undefined>());
  const going: number[] = [];
  for (const [i, { promise }] of writes.entries()) {
    void pace.take('one', READ, promise)?.then(() => going.push(i));
    if (i % 2 === 1) await nextTurn(); // in no hurry
  }
  for (let turn = 0; turn < 100; turn++) await nextTurn();
  const before = going.length;
  const small = pace.take('one', 1);
  void small?.then(() => going.push(-1));
  for (let turn = 0; turn < 100; turn++) await nextTurn();
  t.ok(small, 'also a small piece waits');
  t.equal(going.length, before);
  for (const [i, { reject, resolve }] of writes.entries())
    if (i % 2 === 0) resolve(undefined);
    else reject(new Error('the disk is full'));
  await small;
  t.ok(going.includes(-1), 'and goes on behind it, however it ended');
});
