/** Bodies that are held are read so fast that others get their turns, and no faster than the disk. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import t from 'tap';
import { ReadingPace } from '../../src/proxy/reading-pace.ts';

const READ = 64 * 1024;

/** As many readers as this, which read as often as they may; what was read in each turn, in bytes. */
async function readersOf(pace: ReadingPace, readers: number, turns: number): Promise<readonly number[]> {
  let bytes = 0;
  let over = false;
  const read = (): void => {
    if (over) return;
    bytes += READ;
    const pause = pace.take(READ);
    if (pause) void pause.then(() => setImmediate(read));
    else setImmediate(read);
  };
  for (let i = 0; i < readers; i++) read();
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
    const [first = 0, ...others] = await readersOf(new ReadingPace(), 100, 100);
    t.equal(first, 100 * READ);
    const most = Math.max(...others.slice(1));
    t.ok(most <= 8 * READ, `${most / READ} in one turn: half of them had a turn left`);
    t.equal(
      others.slice(1, 20).reduce((sum, read) => sum + read),
      0,
      'it is made up for first',
    );
    t.ok(others.slice(-50).reduce((sum, read) => sum + read) >= 50 * READ, 'and it goes on');
  },
);

t.test('one body alone waits for a turn after each 256 KiB', async (t) => {
  const pace = new ReadingPace();
  const asked = [1, 2, 3, 4].map(() => pace.take(READ));
  t.strictSame(asked.slice(0, 3), [undefined, undefined, undefined]);
  t.equal(await asked[3], undefined);
  t.equal(pace.take(READ), undefined);
});

t.test('while much waits for the disk nothing more is read', async (t) => {
  const pace = new ReadingPace();
  const writes = Array.from({ length: 16 }, () => Promise.withResolvers<undefined>());
  const going: number[] = [];
  for (const [i, { promise }] of writes.entries()) {
    void pace.take(READ, promise)?.then(() => going.push(i));
    if (i % 2 === 1) await nextTurn(); // in no hurry
  }
  for (let turn = 0; turn < 100; turn++) await nextTurn();
  const before = going.length;
  const small = pace.take(1);
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
