/** Bodies that are held before they leave: in memory, and past a limit on disk. */
import { randomBytes } from 'node:crypto';
import { readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { Readable } from 'node:stream';
import t from 'tap';
import { sha256Hex, sha3Hex } from '../../src/crypto/node.ts';
import { deny } from '../../src/denial/outcome.ts';
import { Holder } from '../../src/gate/held-body.ts';
import type { Spool } from '../../src/gate/held-body.ts';
import { HeldMemory } from '../../src/gate/held-memory.ts';
import { DiskSpool } from '../../src/proxy/spool.ts';

const over = deny('scope_content', 'too long');

function holderOf(
  limits: { memory: number; spooled: number },
  spool: Spool,
  memory = new HeldMemory(1000),
  agent = 'one',
): Holder {
  return new Holder(agent, { ...limits, over }, { memory, spool });
}

t.test('a body past the limit of memory lies on disk without a name', async (t) => {
  const folder = join(t.testdir(), 'spool');
  const spool = new DiskSpool(folder, 1000);
  const holder = holderOf({ memory: 10, spooled: 1000 }, spool);
  const whole = randomBytes(500);
  for (let at = 0; at < whole.length; at += 7)
    t.equal(await holder.keep(whole.subarray(at, at + 7)), undefined);
  const body = holder.finish();
  t.match(body, { length: 500, sha256: sha256Hex(whole), sha3_512: sha3Hex(whole) });
  t.equal(body.bytes, undefined);
  t.strictSame(readdirSync(folder), []);
  t.equal(statSync(folder).mode & 0o777, 0o700);
  t.equal(spool.used, 500);
  for (let again = 0; again < 2; again++) {
    const stream = body.open();
    t.ok(stream instanceof Readable && (await buffer(stream)).equals(whole));
  }
  body.release();
  body.release();
  t.equal(spool.used, 0);
});

t.test('a small body never reaches the disk', async (t) => {
  const folder = join(t.testdir(), 'spool');
  const holder = holderOf({ memory: 10, spooled: 1000 }, new DiskSpool(folder, 1000));
  t.equal(holder.keep(Buffer.from('12345')), undefined);
  t.equal(holder.keep(Buffer.from('67890')), undefined);
  t.strictSame(Buffer.from(holder.finish().bytes ?? []).toString(), '1234567890');
  t.throws(() => readdirSync(folder));
});

t.test('what does not fit is refused', async (t) => {
  const folder = join(t.testdir(), 'spool');
  const full = new DiskSpool(folder, 20);
  const file = join(t.testdir(), 'file');
  writeFileSync(file, '');
  const rows: readonly (readonly [name: string, holder: Holder, code: string])[] = [
    ['the body', holderOf({ memory: 10, spooled: 0 }, full), 'scope_content'],
    ['the body on disk', holderOf({ memory: 5, spooled: 15 }, full), 'scope_content'],
    ['all bodies', holderOf({ memory: 10, spooled: 1000 }, new DiskSpool(folder, 12)), 'content_too_large'],
    ['a folder that is none', holderOf({ memory: 10, spooled: 1000 }, new DiskSpool(file, 1000)), 'content_too_large'],
  ]; // prettier-ignore
  for (const [name, holder, code] of rows) {
    await holder.keep(Buffer.alloc(8));
    t.match(await holder.keep(Buffer.alloc(8)), { code }, name);
    holder.release();
    t.match(await holder.keep(Buffer.alloc(1)), { ok: false }, 'and nothing after it');
  }
  t.equal(full.used, 0);
});

t.test('a body that is given up while its file is opened leaves nothing', async (t) => {
  const spool = new DiskSpool(join(t.testdir(), 'spool'), 1000);
  const holder = holderOf({ memory: 1, spooled: 1000 }, spool);
  const kept = holder.keep(Buffer.alloc(8));
  holder.release();
  t.match(await kept, { ok: false });
  t.equal(spool.used, 0);
});

t.test('where the memory of all is full, what may lie on disk goes there', async (t) => {
  const spool = new DiskSpool(join(t.testdir(), 'spool'), 1000);
  const memory = new HeldMemory(10);
  const limits = { memory: 10, spooled: 1000 };
  const [first, second] = [holderOf(limits, spool, memory), holderOf(limits, spool, memory)];
  t.equal(first.keep(Buffer.from('12345678')), undefined);
  t.equal(await second.keep(Buffer.from('12345678')), undefined);
  t.equal(spool.used, 8);
  const [body, other] = [first.finish(), second.finish()];
  t.strictSame([body.bytes?.length, other.bytes, memory.used], [8, undefined, 8]);
  body.release();
  other.release();
  t.strictSame([memory.used, spool.used], [0, 0]);
});

t.test('what has to be in memory takes it from the body that has been read for longest', async (t) => {
  const spool = new DiskSpool(join(t.testdir(), 'spool'), 1000);
  const memory = new HeldMemory(30);
  const bodies = Array.from({ length: 4 }, () => holderOf({ memory: 10, spooled: 0 }, spool, memory));
  const [oldest, whole, slow, late] = bodies as [Holder, Holder, Holder, Holder]; // as many as were made
  for (const holder of [oldest, whole, slow]) t.equal(holder.keep(Buffer.alloc(8)), undefined);
  const held = whole.finish();
  t.equal(late.keep(Buffer.alloc(8)), undefined);
  t.match(await oldest.lost, { code: 'content_timeout' });
  t.match(oldest.keep(Buffer.alloc(1)), { ok: false }, 'it is over');
  t.match(await new Promise((resolve) => (slow.lost.then(resolve), setImmediate(resolve, 'stays'))), 'stays');
  t.equal(memory.used, 28, 'a whole one takes no more than its length');
  for (const holder of [slow, late]) holder.release();
  t.equal(held.bytes?.length, 8, 'what is whole is kept');
  held.release();
  t.equal(memory.used, 0);
});

t.test('a body that would have to make room for itself is refused', async (t) => {
  const memory = new HeldMemory(2000);
  const spool = new DiskSpool(join(t.testdir(), 'spool'), 1000);
  const [first, second] = [1, 2].map(() => holderOf({ memory: 4000, spooled: 0 }, spool, memory));
  t.equal(await first?.keep(Buffer.alloc(8)), undefined);
  t.match(await first?.keep(Buffer.alloc(2000)), { code: 'content_too_large' });
  first?.release();
  t.equal(await second?.keep(Buffer.alloc(8)), undefined, 'and then there is room');
});

t.test('the agent that holds the most makes room, with what is not whole first', async (t) => {
  const memory = new HeldMemory(30);
  const spool = new DiskSpool(join(t.testdir(), 'spool'), 1000);
  const read = (agent: string): Holder => {
    const holder = holderOf({ memory: 10, spooled: 0 }, spool, memory, agent);
    t.equal(holder.keep(Buffer.alloc(10)), undefined);
    return holder;
  };
  const [whole, second, slow] = [read('greedy'), read('greedy'), read('greedy')];
  whole.finish();
  second.finish();
  const [modest, other] = [read('modest'), read('other')];
  t.match(await slow.lost, { code: 'content_timeout' });
  t.match(await whole.lost, { code: 'content_too_large' });
  const third = holderOf({ memory: 10, spooled: 0 }, spool, memory, 'other');
  t.equal(third.keep(Buffer.alloc(10)), undefined);
  t.match(await other.lost, { code: 'content_timeout' }, 'who would hold more than others is itself asked');
  for (const holder of [second, modest, third]) holder.release();
  t.equal(memory.used, 0);
});

t.test('one agent may use all of it, and gives up nothing whole for itself', async (t) => {
  const memory = new HeldMemory(30);
  const spool = new DiskSpool(join(t.testdir(), 'spool'), 1000);
  const next = (): Holder => holderOf({ memory: 10, spooled: 0 }, spool, memory);
  for (const holder of [next(), next(), next()]) {
    t.equal(holder.keep(Buffer.alloc(10)), undefined);
    t.equal(holder.finish().bytes?.length, 10);
  }
  t.match(await next().keep(Buffer.alloc(10)), { code: 'content_too_large' });
  t.equal(memory.used, 30);
});

t.test('what lies on disk makes no room in memory', async (t) => {
  const memory = new HeldMemory(10);
  const spool = new DiskSpool(join(t.testdir(), 'spool'), 1000);
  const onDisk = holderOf({ memory: 10, spooled: 1000 }, spool, memory);
  t.equal(onDisk.keep(Buffer.alloc(5)), undefined);
  t.equal(await onDisk.keep(Buffer.alloc(50)), undefined);
  const slow = holderOf({ memory: 10, spooled: 0 }, spool, memory);
  t.equal(slow.keep(Buffer.alloc(10)), undefined);
  t.equal(holderOf({ memory: 5, spooled: 0 }, spool, memory, 'two').keep(Buffer.alloc(5)), undefined);
  t.match(await slow.lost, { code: 'content_timeout' });
  t.equal(await onDisk.keep(Buffer.alloc(50)), undefined, 'it goes on');
  onDisk.release();
});

t.test('memory lets go of a large body once it was read to its end', async (t) => {
  const memory = new HeldMemory(1_000_000);
  const holder = holderOf({ memory: 500_000, spooled: 0 }, new DiskSpool(t.testdir(), 0), memory);
  const whole = randomBytes(300_000);
  holder.keep(whole);
  const body = holder.finish();
  const stream = body.open();
  t.equal(memory.used, 300_000);
  t.ok(stream instanceof Readable && (await buffer(stream)).equals(whole));
  t.strictSame([memory.used, body.bytes], [0, undefined]);
  t.throws(() => body.open());
});
