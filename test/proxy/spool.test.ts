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
import { DiskSpool } from '../../src/proxy/spool.ts';

const over = deny('scope_content', 'too long');

t.test('a body past the limit of memory lies on disk without a name', async (t) => {
  const folder = join(t.testdir(), 'spool');
  const spool = new DiskSpool(folder, 1000);
  const holder = new Holder({ memory: 10, spooled: 1000, over }, spool);
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
  const holder = new Holder({ memory: 10, spooled: 1000, over }, new DiskSpool(folder, 1000));
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
    ['the body', new Holder({ memory: 10, spooled: 0, over }, full), 'scope_content'],
    ['the body on disk', new Holder({ memory: 5, spooled: 15, over }, full), 'scope_content'],
    ['all bodies', new Holder({ memory: 10, spooled: 1000, over }, new DiskSpool(folder, 12)), 'content_too_large'],
    ['a folder that is none', new Holder({ memory: 10, spooled: 1000, over }, new DiskSpool(file, 1000)), 'content_too_large'],
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
  const holder = new Holder({ memory: 1, spooled: 1000, over }, spool);
  const kept = holder.keep(Buffer.alloc(8));
  holder.release();
  t.match(await kept, { ok: false });
  t.equal(spool.used, 0);
});
