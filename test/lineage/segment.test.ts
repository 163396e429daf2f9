import * as fc from 'fast-check';
import t from 'tap';
import { toHex } from '../../src/crypto/bytes.ts';
import {
  BATCH_MAGIC,
  BatchBuilder,
  MAX_ENTRY_LENGTH,
  parseBatch,
  parseHeader,
  splitEntries,
} from '../../src/lineage/segment.ts';

const root = new Uint8Array(32).fill(5);

function batchOf(texts: readonly string[], first = 3, builder = new BatchBuilder()): Buffer {
  builder.begin(first);
  for (const text of texts) builder.add(text);
  return Buffer.from(builder.finish({ size: first + texts.length, root, head: 'head ☃\n' }));
}

t.test('a batch is read as it was written', (t) => {
  const bytes = batchOf(['one', 'zwei ü', 'x'.repeat(60_000)]);
  const batch = parseBatch(bytes, 77);
  t.match(batch, { intact: true, offset: 77, length: bytes.length, first: 3, size: 6, head: 'head ☃\n' });
  t.equal(batch && toHex(batch.root), toHex(root));
  t.strictSame(
    batch?.entries.map((entry) => Buffer.from(entry).toString().slice(0, 6)),
    ['one', 'zwei ü', 'xxxxxx'],
  );
  t.end();
});

t.test('a builder is used for one batch after the other, small and large', (t) => {
  const builder = new BatchBuilder();
  const large = Array.from({ length: 200 }, (_, i) => `${i}`.padEnd(50_000, '.'));
  for (const texts of [['a'], large, ['b', 'c']])
    t.strictSame(
      parseBatch(batchOf(texts, 1, builder), 0)?.entries.map((entry) => Buffer.from(entry).toString()),
      texts,
    );
  t.end();
});

t.test('an entry has a uint16 length', (t) => {
  const builder = new BatchBuilder();
  builder.begin(0);
  t.equal(builder.add('x'.repeat(MAX_ENTRY_LENGTH)).length, MAX_ENTRY_LENGTH);
  t.throws(() => builder.add('x'.repeat(MAX_ENTRY_LENGTH), 'y'), RangeError);
  t.equal(Buffer.from(builder.add('in ', 'parts')).toString(), 'in parts', 'the builder goes on after that');
  t.end();
});

t.test('every changed byte makes a batch unreadable or not intact', (t) => {
  const good = batchOf(['one', 'two']);
  for (let at = 0; at < good.length; at++) {
    const bad = Buffer.from(good);
    bad[at] = (bad[at] ?? 0) ^ 0x10;
    if (parseBatch(bad, 0)?.intact) t.fail(`byte ${at}`);
  }
  for (let length = 0; length < good.length; length++)
    if (parseBatch(good.subarray(0, length), 0)) t.fail(`cut to ${length}`);
  t.equal(parseBatch(Buffer.concat([good, Buffer.of(0)]), 0), undefined, 'a byte too many');
  t.equal(parseBatch(batchOf([]), 0), undefined, 'a batch has entries');
  t.end();
});

t.test('the magic cannot occur in text, and nothing makes the parsers throw', (t) => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'binary' }),
      (text) => !Buffer.from(text).includes(Buffer.from(BATCH_MAGIC)),
    ),
  );
  const junk = fc.uint8Array({ maxLength: 300 });
  fc.assert(
    fc.property(junk, (bytes) => void [parseHeader(bytes), parseBatch(bytes, 0), splitEntries(bytes)]),
  );
  const framed = junk.map((bytes) => Buffer.concat([BATCH_MAGIC, bytes]));
  fc.assert(fc.property(framed, (bytes) => !parseBatch(bytes, 0)?.intact));
  t.end();
});
