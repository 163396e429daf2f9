/** Bodies that are held before they leave: in memory, and past a limit on disk. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { Readable } from 'node:stream';
import t from 'tap';
import { sha256Hex, sha3Hex } from '../../src/crypto/node.ts';
import { deny } from '../../src/denial/outcome.ts';
import { Holder } from '../../src/gate/held-body.ts';
import type { Spool } from '../../src/gate/held-body.ts';
import { SharedRoom } from '../../src/gate/shared-room.ts';
import { DiskSpool } from '../../src/proxy/spool.ts';

const over = deny('scope_content', 'too long');

interface Given {
  readonly spool?: Spool;
  readonly memory?: SharedRoom;
  readonly disk?: SharedRoom;
  readonly agent?: string;
}

const folder = join(t.testdir(), 'spool');

function holderOf(limits: { memory: number; spooled: number }, given: Given = {}): Holder {
  const { agent = 'one', ...shelf } = given;
  const rooms = { memory: new SharedRoom(1000), disk: new SharedRoom(1000), pace: () => undefined };
  return new Holder(agent, { ...limits, over }, { ...rooms, spool: new DiskSpool(folder), ...shelf });
}

t.test(
  'a body past the limit of memory lies on disk without a name, until it was read to its end',
  async (t) => {
    const disk = new SharedRoom(1000);
    const holder = holderOf({ memory: 10, spooled: 1000 }, { disk });
    const whole = randomBytes(500);
    for (let at = 0; at < whole.length; at += 7)
      t.equal(await holder.keep(whole.subarray(at, at + 7)), undefined);
    const body = holder.finish();
    t.match(body, { length: 500, sha256: sha256Hex(whole), sha3_512: sha3Hex(whole) });
    t.equal(body.bytes, undefined);
    t.strictSame(readdirSync(folder), []);
    t.equal(statSync(folder).mode & 0o777, 0o700);
    t.equal(disk.used, 500);
    const stream = body.open();
    t.ok(stream instanceof Readable && (await buffer(stream)).equals(whole));
    t.equal(disk.used, 0);
    t.throws(() => body.open());
    body.release();
    t.equal(disk.used, 0, 'once only');
  },
);

t.test('a body on disk that is let go of while it is sent breaks off', async (t) => {
  const holder = holderOf({ memory: 10, spooled: 1_000_000 }, { disk: new SharedRoom(1_000_000) });
  t.equal(await holder.keep(Buffer.alloc(500_000)), undefined);
  const body = holder.finish();
  const stream = body.open();
  if (!(stream instanceof Readable)) throw new Error('a large body is a stream');
  stream.once('data', () => body.release()).on('end', () => t.fail('that is no end'));
  await once(stream, 'close');
});

t.test('a small body never reaches the disk', async (t) => {
  const spool = new DiskSpool(join(t.testdir(), 'none'));
  const holder = holderOf({ memory: 10, spooled: 1000 }, { spool });
  t.equal(holder.keep(Buffer.from('12345')), undefined);
  t.equal(holder.keep(Buffer.from('67890')), undefined);
  t.strictSame(Buffer.from(holder.finish().bytes ?? []).toString(), '1234567890');
  t.throws(() => readdirSync(join(t.testdirName, 'none')));
});

t.test('what does not fit is refused', async (t) => {
  const file = join(t.testdir(), 'file');
  writeFileSync(file, '');
  const disk = new SharedRoom(12);
  const onDisk = { memory: 10, spooled: 1000 };
  const rows: readonly (readonly [name: string, holder: Holder, code: string])[] = [
    ['the body', holderOf({ memory: 10, spooled: 0 }), 'scope_content'],
    ['the body on disk', holderOf({ memory: 5, spooled: 15 }), 'scope_content'],
    ['all bodies', holderOf(onDisk, { disk }), 'content_too_large'],
    ['a folder that is none', holderOf(onDisk, { spool: new DiskSpool(file) }), 'content_too_large'],
  ]; // prettier-ignore
  for (const [name, holder, code] of rows) {
    await holder.keep(Buffer.alloc(8));
    t.match(await holder.keep(Buffer.alloc(8)), { code }, name);
    holder.release();
    t.match(await holder.keep(Buffer.alloc(1)), { ok: false }, 'and nothing after it');
  }
  t.equal(disk.used, 0);
});

t.test('a body that is given up while its file is opened leaves nothing', async (t) => {
  const disk = new SharedRoom(1000);
  const holder = holderOf({ memory: 1, spooled: 1000 }, { disk });
  const kept = holder.keep(Buffer.alloc(8));
  t.equal(disk.used, 8);
  holder.release();
  t.match(await kept, { ok: false });
  t.equal(disk.used, 0);
});

t.test('what may lie on disk takes a quarter of the memory, and then goes there', async (t) => {
  const [memory, disk] = [new SharedRoom(40), new SharedRoom(1000)];
  const limits = { memory: 10, spooled: 1000 };
  const [first, second] = [holderOf(limits, { memory, disk }), holderOf(limits, { memory, disk })];
  t.equal(first.keep(Buffer.from('12345678')), undefined);
  t.equal(await second.keep(Buffer.from('12345678')), undefined);
  t.strictSame([memory.used, disk.used], [10, 8]);
  const must = [1, 2, 3].map(() => holderOf({ memory: 10, spooled: 0 }, { memory, disk }));
  for (const holder of must) t.equal(holder.keep(Buffer.alloc(10)), undefined);
  t.equal(memory.used, 40, 'the rest is for what must be there');
  const [body, other] = [first.finish(), second.finish()];
  t.strictSame([body.bytes?.length, other.bytes], [8, undefined]);
  for (const one of [body, other, ...must]) one.release();
  t.strictSame([memory.used, disk.used], [0, 0]);
});

/** A room for three bodies of ten bytes, in memory or on disk. */
const rooms: readonly [name: string, limits: { memory: number; spooled: number }, room: 'memory' | 'disk'][] =
  [
    ['memory', { memory: 10, spooled: 0 }, 'memory'],
    ['the disk', { memory: 0, spooled: 10 }, 'disk'],
  ];

for (const [name, limits, where] of rooms) {
  const bytes = Buffer.alloc(10);
  const three = (): { room: SharedRoom; next: (agent?: string) => Holder } => {
    const room = new SharedRoom(30);
    return { room, next: (agent = 'one') => holderOf(limits, { [where]: room, agent }) };
  };

  t.test(`${name}: who needs it takes it from the body that has been read for longest`, async (t) => {
    const { room, next } = three();
    const [oldest, whole, slow, late] = [next(), next(), next(), next()];
    for (const holder of [oldest, whole, slow]) t.equal(await holder.keep(bytes), undefined);
    const held = whole.finish();
    t.equal(await late.keep(bytes), undefined);
    t.match(await oldest.lost, { code: 'content_timeout' });
    t.match(await oldest.keep(Buffer.alloc(1)), { ok: false }, 'it is over');
    t.match(
      await new Promise((resolve) => (slow.lost.then(resolve), setImmediate(resolve, 'stays'))),
      'stays',
    );
    t.equal(room.used, 30);
    for (const holder of [slow, late]) holder.release();
    t.equal(held.length, 10, 'what is whole is kept');
    t.equal(room.used, 10);
    held.release();
    t.equal(room.used, 0);
  });

  t.test(`${name}: the agent that holds the most makes room, with what is not whole first`, async (t) => {
    const { room, next } = three();
    const read = async (agent: string): Promise<Holder> => {
      const holder = next(agent);
      t.equal(await holder.keep(bytes), undefined);
      return holder;
    };
    const [whole, second, slow] = [await read('greedy'), await read('greedy'), await read('greedy')];
    whole.finish();
    second.finish();
    const [modest, other] = [await read('modest'), await read('other')];
    t.match(await slow.lost, { code: 'content_timeout' });
    t.match(await whole.lost, { code: 'content_too_large' });
    const third = await read('other');
    t.match(await other.lost, { code: 'content_timeout' }, 'who would hold more than others is itself asked');
    for (const holder of [second, modest, third]) holder.release();
    t.equal(room.used, 0);
  });

  t.test(`${name}: one agent may use all of it, and gives up nothing whole for itself`, async (t) => {
    const { room, next } = three();
    for (const holder of [next(), next(), next()]) {
      t.equal(await holder.keep(bytes), undefined);
      t.equal(holder.finish().length, 10);
    }
    t.match(await next().keep(bytes), { code: 'content_too_large' });
    t.equal(room.used, 30);
  });
}

t.test('a body that would have to make room for itself is refused', async (t) => {
  const memory = new SharedRoom(2000);
  const [first, second] = [1, 2].map(() => holderOf({ memory: 4000, spooled: 0 }, { memory }));
  t.equal(await first?.keep(Buffer.alloc(8)), undefined);
  t.match(await first?.keep(Buffer.alloc(2000)), { code: 'content_too_large' });
  first?.release();
  t.equal(await second?.keep(Buffer.alloc(8)), undefined, 'and then there is room');
});

t.test('what lies on disk makes no room in memory', async (t) => {
  const memory = new SharedRoom(10);
  const onDisk = holderOf({ memory: 2, spooled: 1000 }, { memory });
  t.equal(onDisk.keep(Buffer.alloc(2)), undefined);
  t.equal(await onDisk.keep(Buffer.alloc(50)), undefined);
  const slow = holderOf({ memory: 10, spooled: 0 }, { memory });
  t.equal(slow.keep(Buffer.alloc(10)), undefined);
  t.equal(holderOf({ memory: 5, spooled: 0 }, { memory, agent: 'two' }).keep(Buffer.alloc(5)), undefined);
  t.match(await slow.lost, { code: 'content_timeout' });
  t.equal(await onDisk.keep(Buffer.alloc(50)), undefined, 'it goes on');
  onDisk.release();
});

t.test('memory lets go of a large body once it was read to its end', async (t) => {
  const memory = new SharedRoom(1_000_000);
  const holder = holderOf({ memory: 500_000, spooled: 0 }, { memory });
  const whole = randomBytes(300_000);
  holder.keep(whole);
  const body = holder.finish();
  const stream = body.open();
  t.equal(memory.used, 300_000);
  t.ok(stream instanceof Readable && (await buffer(stream)).equals(whole));
  t.strictSame([memory.used, body.bytes], [0, undefined]);
  t.throws(() => body.open());
});
