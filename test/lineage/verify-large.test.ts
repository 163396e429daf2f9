/** Verification on several threads: it must come to the verdict that one thread comes to, on every log. */
import { crc32 } from 'node:zlib';
import { cpSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { listSegments, segmentPath } from '../../src/lineage/layout.ts';
import { formatNoteKey } from '../../src/lineage/note.ts';
import { batchesOf } from '../../src/lineage/read.ts';
import { readVouched } from '../../src/lineage/replay.ts';
import { SegmentScanner } from '../../src/lineage/scan.ts';
import { ScanCrew } from '../../src/lineage/scan-crew.ts';
import { verifyLargeLog, verifyLog } from '../../src/lineage/verify.ts';
import type { LogVerification } from '../../src/lineage/verify.ts';
import { scratchFolder } from './scratch-folder.ts';
import { fill, makeScratchLog, openStore } from './scratch-log.ts';
import type { ScratchLog } from './scratch-log.ts';

/** A closed log of 801 entries in many segments. */
function segmented(home: string): ScratchLog {
  const log = makeScratchLog(home);
  const store = openStore(log, 60_000);
  fill(store, 800, 20);
  store.close();
  return log;
}

const pathsOf = ({ layout }: ScratchLog): readonly string[] =>
  listSegments(layout.segments).map(({ path }) => path);

function change(path: string, edit: (bytes: Buffer) => Uint8Array | void): void {
  const bytes = readFileSync(path);
  writeFileSync(path, edit(bytes) ?? bytes);
}

/** Changes a byte at an offset, and mends the checksum of its batch. */
function forge(path: string, at: number): void {
  change(path, (bytes) => {
    bytes[at] = bytes[at] === 0x41 ? 0x42 : 0x41; // stays base64, hex or text
    for (const { offset, length } of batchesOf({ path, first: 0 }, { until: Infinity })) {
      const end = offset + length - 4;
      if (at > offset && at < end) bytes.writeUInt32BE(crc32(bytes.subarray(offset, end)), end);
    }
  });
}

t.test('several threads come to the verdict of one', async (t) => {
  const folder = scratchFolder(t);
  const crew = new ScanCrew(2);
  t.teardown(() => crew.close());
  const good = segmented(join(folder, 'good'));
  const middle = readFileSync(pathsOf(good)[2] ?? '');
  const rows: [string, (paths: readonly string[], log: ScratchLog) => void, object][] = [
    ['nothing', () => undefined, { ok: true, size: 801, torn: 0, missingTiles: 0 }],
    ['a byte of an entry', ([, , path = '']) => change(path, (is) => void (is[4321] = 0)), { code: 'log_damaged' }],
    ['a byte of a head', ([, , path = '']) => change(path, (is) => void (is[is.indexOf('localhost/writ/', is.indexOf('\u2014')) + 3] = 0)), { code: 'log_damaged' }],
    ['an entry, its checksum mended', ([, , path = '']) => forge(path, middle.indexOf('"path":"') + 9), { code: 'log_damaged' }],
    ['a time, its checksum mended', ([, , path = '']) => forge(path, middle.indexOf('{"at":"') + 7), { code: 'log_damaged' }],
    ['a chain, its checksum mended', ([, , path = '']) => forge(path, middle.indexOf('"prev":"') + 9), { code: 'log_damaged' }],
    ['a root, its checksum mended', ([, , path = '']) => forge(path, middle.indexOf('localhost/writ/', middle.indexOf(']}\0')) - 20), { code: 'log_damaged' }],
    ['a segment less', ([, , path = '']) => rmSync(path), { code: 'log_damaged' }],
    ['a segment cut', ([, , path = '']) => truncateSync(path, 3000), { code: 'log_damaged' }],
    ['a segment empty', ([, , path = '']) => truncateSync(path, 0), { code: 'log_damaged' }],
    ['two segments swapped', ([, a = '', b = '']) => (cpSync(a, `${a}.x`), cpSync(b, a), cpSync(`${a}.x`, b), rmSync(`${a}.x`)), { code: 'log_damaged' }],
    ['the last segment less', (paths) => rmSync(paths.at(-1) ?? ''), { code: /log_rolled_back|log_damaged/ }],
    ['a torn end', (paths) => change(paths.at(-1) ?? '', (is) => Buffer.concat([is, Buffer.alloc(99)])), { ok: true, torn: 99 }],
    ['a tile changed', (_, { layout }) => change(join(layout.directory, 'tile/0/001'), (is) => void (is[5] = (is[5] ?? 0) ^ 1)), { code: 'log_damaged', index: 256 }],
    ['a tile less', (_, { layout }) => rmSync(join(layout.directory, 'tile/0/001')), { ok: true, missingTiles: 1 }],
    ['the checkpoint less', (_, { layout }) => rmSync(layout.checkpoint), { code: 'log_missing' }],
    ['no segment', (paths) => paths.forEach((path) => rmSync(path)), { code: 'log_missing' }],
  ]; // prettier-ignore
  for (const [name, damage, wanted] of rows) {
    const home = join(folder, 'changed');
    cpSync(good.home, home, { recursive: true });
    const log = { ...good, home, layout: { ...good.layout } };
    for (const [key, path] of Object.entries(good.layout))
      Object.assign(log.layout, { [key]: path.replace(good.home, home) });
    damage(pathsOf(log), log);
    for (const everyHead of [false, true]) {
      const given = { layout: log.layout, logKey: log.identity.logKey, everyHead };
      const verdict = await verifyLargeLog(given, crew);
      t.strictSame(verdict, verifyLog(given), `${name}: the same`);
      t.match(verdict, wanted, name);
    }
    rmSync(home, { recursive: true });
  }
});

t.test('a scan takes nothing that is odd, whatever byte of a segment was changed', (t) => {
  const log = segmented(scratchFolder(t));
  const [, segment] = listSegments(log.layout.segments);
  if (!segment) throw new Error('there are segments');
  const job = { ...segment, logKey: formatNoteKey(log.identity.logKey), everyHead: true };
  const scanner = new SegmentScanner();
  const good = readFileSync(segment.path);
  const whole = scanner.scan(job);
  if (!whole) throw new Error('a good segment is scanned');
  t.equal(whole.hashes.length, 32 * (segment.until - segment.first + whole.sizes.length));
  const again = scanner.scan({ ...job, room: whole.hashes.buffer });
  t.equal(again?.hashes.buffer, whole.hashes.buffer, 'memory is used again');
  const little = scanner.scan({ ...job, room: new ArrayBuffer(64) });
  t.strictSame(little, again, 'memory that is too small is replaced');
  t.equal(
    scanner.scan({ ...job, until: segment.until + 1 }),
    undefined,
    'one entry less than there should be',
  );
  t.equal(scanner.scan({ ...job, until: segment.until - 1 }), undefined, 'one entry more');
  t.equal(scanner.scan({ ...job, first: segment.first + 1 }), undefined, 'another first entry');
  const firstBatch = [...batchesOf(segment, { until: segment.first + 20 })][0]?.length ?? 0;
  const end = firstBatch - 4;
  for (let at = 0; at < firstBatch; at += at < 200 || at > firstBatch - 400 ? 1 : 41) {
    for (const mended of [false, true]) {
      const bad = Buffer.from(good);
      bad[at] = (bad[at] ?? 0) ^ (1 << (at % 8));
      if (mended && at < end) bad.writeUInt32BE(crc32(bad.subarray(0, end)), end);
      writeFileSync(segment.path, bad);
      const scan = scanner.scan(job);
      if (scan && (!mended || isSame(scan, good, segment.path))) t.fail(`byte ${at}, mended ${mended}`);
    }
  }
  t.end();

  /** With a mended checksum only what the tree sees may differ: leaves, roots, or the chain to the segment before. */
  function isSame(scan: object, bytes: Buffer, path: string): boolean {
    writeFileSync(path, bytes);
    return JSON.stringify(scan) === JSON.stringify(scanner.scan(job));
  }
});

t.test('a scan that fails costs nothing but itself', async (t) => {
  const log = segmented(scratchFolder(t));
  const crew = new ScanCrew(1);
  t.teardown(() => crew.close());
  const { layout, identity } = log;
  const [segment] = listSegments(layout.segments);
  if (!segment) throw new Error('there are segments');
  const job = { ...segment, logKey: formatNoteKey(identity.logKey), everyHead: false };
  const gone = { ...job, path: `${segment.path}.gone` };
  const scans = [gone, gone, job, gone, job].map((one) => crew.scan(one).then(Boolean, () => 'failed'));
  t.strictSame(await Promise.all(scans), ['failed', 'failed', true, 'failed', true]);
});

t.test('the signature of an old head is looked at only when asked for', async (t) => {
  const log = segmented(scratchFolder(t));
  const crew = new ScanCrew(1);
  t.teardown(() => crew.close());
  const [path = ''] = pathsOf(log).slice(2);
  const bytes = readFileSync(path);
  const signature = bytes.indexOf('=\n', bytes.indexOf('\u2014')) - 40;
  forge(path, signature);
  const given = { layout: log.layout, logKey: log.identity.logKey };
  t.match(await verifyLargeLog(given, crew), { ok: true }, 'a later head covers all of it');
  t.match(verifyLog(given), { ok: true });
  const end = readFileSync(path);
  forge(path, end.lastIndexOf('=\n') - 40);
  t.match(await verifyLargeLog(given, crew), { ok: false, code: 'log_damaged' }, 'but not that of a segment');
  t.match(verifyLog(given), { ok: false, code: 'log_damaged' });
  writeFileSync(path, end);
  const all = { ...given, everyHead: true };
  t.match(await verifyLargeLog(all, crew), { ok: false, code: 'log_damaged' });
  t.match(verifyLog(all), { ok: false, code: 'log_damaged' });
});

t.test('a known head is met in any segment, and progress is told', async (t) => {
  const log = segmented(scratchFolder(t));
  const crew = new ScanCrew(2);
  t.teardown(() => crew.close());
  const { layout, identity } = log;
  const heads = [...batchesOf({ path: segmentPath(layout.segments, 0), first: 0 }, { until: Infinity })];
  const known = { origin: identity.origin, size: heads[1]?.size ?? 0, root: heads[1]?.root ?? Buffer.of() };
  const told: number[] = [];
  const given: LogVerification = { layout, logKey: identity.logKey, known, onProgress: (done, all) => told.push(done, all) };
  t.match(await verifyLargeLog(given, crew), { ok: true, batches: 41 });
  t.strictSame(told.slice(-2), [801, readVouched(layout, identity.logKey).size]);
  const forked = { ...given, known: { ...known, root: new Uint8Array(32) } };
  t.match(await verifyLargeLog(forked, crew), { ok: false, code: 'log_rolled_back', index: known.size });
}); // prettier-ignore

t.test('a crew that was closed begins nothing more: its process can end', async (t) => {
  const { layout, identity } = segmented(scratchFolder(t));
  const [name] = listSegments(layout.segments);
  const logKey = formatNoteKey(identity.logKey);
  const job = { path: name?.path ?? '', first: 0, until: name?.until ?? 0, logKey, everyHead: false };
  const crew = new ScanCrew(1);
  t.ok(await crew.scan(job));
  const scans = Promise.allSettled([crew.scan(job), crew.scan(job), crew.scan(job)]);
  await crew.close();
  t.equal((await scans).at(-1)?.status, 'rejected');
});
