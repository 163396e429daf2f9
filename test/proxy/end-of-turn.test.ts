import { Writable } from 'node:stream';
import t from 'tap';
import { atEndOfTurn, holdForTurn } from '../../src/proxy/end-of-turn.ts';

/** A stream that notes what it was given at once. */
function noting(batches: string[][]): Writable {
  return new Writable({
    decodeStrings: false,
    writev: (chunks, done) => (batches.push(chunks.map(({ chunk }) => String(chunk))), done()),
  });
}

/** Resolves in a later turn, once what this one held has gone. */
const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));

t.test('what one turn writes to a stream leaves as one, at its end', async (t) => {
  const batches: string[][] = [];
  const stream = noting(batches);
  holdForTurn(stream);
  stream.write('a');
  await Promise.resolve();
  stream.write('b');
  process.nextTick(() => stream.write('c'));
  await new Promise(process.nextTick);
  t.strictSame(batches, [], 'nothing has left yet');
  await nextTurn();
  t.strictSame(batches, [['a', 'b', 'c']]);
});

t.test('each turn holds for itself, and a stream may be held twice in one', async (t) => {
  const batches: string[][] = [];
  const stream = noting(batches);
  for (const text of ['a', 'b']) {
    holdForTurn(stream);
    holdForTurn(stream);
    stream.write(text);
    await nextTurn();
  }
  t.strictSame(batches, [['a'], ['b']]);
  t.equal(stream.writableCorked, 0);
});

t.test(
  'work is done in the order in which it came, and what comes meanwhile waits for the next turn',
  async (t) => {
    const done: string[] = [];
    atEndOfTurn(() => {
      done.push('first');
      atEndOfTurn(() => done.push('third'));
    });
    atEndOfTurn(() => done.push('second'));
    t.strictSame(done, []);
    await new Promise(setImmediate);
    t.strictSame(done, ['first', 'second']);
    await nextTurn();
    t.strictSame(done, ['first', 'second', 'third']);
  },
);
