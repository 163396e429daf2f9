import { readFileSync, writeFileSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { join } from 'node:path';
import t from 'tap';
import { readLogKeys } from '../../src/lineage/identity.ts';
import { segmentPath } from '../../src/lineage/layout.ts';
import { Composer } from '../../src/lineage/composer.ts';
import { NO_PREVIOUS } from '../../src/lineage/audit.ts';
import { node } from '../../src/crypto/node.ts';
import { batchesOf } from '../../src/lineage/read.ts';
import { signHead } from '../../src/lineage/seal.ts';
import { Tree } from '../../src/lineage/tree.ts';
import { verifyLog } from '../../src/lineage/verify.ts';
import { isFound, logOf200, stretchesOf, verdictWithFlip } from './damaged-log.ts';
import type { Stretch } from './damaged-log.ts';
import { scratchFolder } from './scratch-folder.ts';
import { callDraft, fill, makeScratchLog, NOW, openStore } from './scratch-log.ts';
import type { ScratchLog } from './scratch-log.ts';

const verdictOn = (log: ScratchLog): object => verifyLog({ layout: log.layout, logKey: log.identity.logKey });

t.test('a changed byte of a log is found and blamed on its entry', (t) => {
  const log = logOf200(scratchFolder(t));
  const stretches = stretchesOf(log);
  t.equal(stretches.filter(({ kind }) => kind === 'entry').length, 200);
  t.equal(
    stretches.at(-1)?.end,
    readFileSync(segmentPath(log.layout.segments, 0)).length,
    'no byte is left out',
  );
  let flips = 0;
  const check = (stretch: Stretch, at: number): void => {
    flips++;
    if (!isFound(verdictWithFlip(log, at, 1 << (at % 8)), stretch))
      t.fail(`byte ${at}, ${JSON.stringify(stretch)}`);
  };
  const whole = new Set([0, 117, 199]);
  for (const stretch of stretches) {
    const { start, end, kind, first } = stretch;
    if (kind === 'framing' || whole.has(first)) for (let at = start; at < end; at++) check(stretch, at);
    else check(stretch, start + Math.floor(Math.random() * (end - start)));
  }
  t.match(verdictOn(log), { ok: true, size: 200 }, `good again after ${flips} flips`);
  t.end();
});

t.test('a changed entry is found and named also where someone mended the CRC', (t) => {
  const log = logOf200(scratchFolder(t));
  const path = segmentPath(log.layout.segments, 0);
  const good = readFileSync(path);
  const stretches = stretchesOf(log);
  for (const seq of [0, 1, 2, 60, 174, 175, 198, 199]) {
    const entry = stretches.find(({ kind, first }) => kind === 'entry' && first === seq);
    const at = (entry?.start ?? 0) + 100;
    const bad = Buffer.from(good);
    bad[at] = (bad[at] ?? 0) ^ 2;
    for (const { offset, length } of batchesOf({ path, first: 0 }, { until: 1e9 })) {
      const end = offset + length - 4;
      if (at > offset && at < end) bad.writeUInt32BE(crc32(bad.subarray(offset, end)), end);
    }
    writeFileSync(path, bad);
    t.match(verdictOn(log), { ok: false, code: 'log_damaged', index: seq }, `entry ${seq}`);
    t.throws(() => openStore(log), { code: 'log_damaged', index: seq });
    writeFileSync(path, good);
  }
  t.end();
});

t.test('entries deleted, doubled, swapped or inserted are found, at the first one', (t) => {
  const log = logOf200(scratchFolder(t));
  const path = segmentPath(log.layout.segments, 0);
  const good = readFileSync(path);
  const framed = stretchesOf(log)
    .filter(({ kind }) => kind === 'entry')
    .map(({ start, end }) => ({ start: start - 2, end, bytes: good.subarray(start - 2, end) }));
  const replaceEntries = (from: number, count: number, put: readonly Uint8Array[]): void => {
    const [first, last] = [framed[from], framed[from + count - 1]];
    writeFileSync(path, Buffer.concat([good.subarray(0, first?.start), ...put, good.subarray(last?.end)]));
  };
  const bytesOf = (seq: number): Uint8Array => framed[seq]?.bytes ?? new Uint8Array(0);
  const rows: [string, () => void, number][] = [
    ['deleted', () => replaceEntries(30, 1, []), 30],
    ['doubled', () => replaceEntries(30, 1, [bytesOf(30), bytesOf(30)]), 31],
    ['swapped', () => replaceEntries(30, 2, [bytesOf(31), bytesOf(30)]), 30],
    ['replaced by another', () => replaceEntries(30, 1, [bytesOf(170)]), 30],
    ['inserted', () => replaceEntries(30, 1, [bytesOf(30), bytesOf(170)]), 31],
  ];
  for (const [name, change, index] of rows) {
    change();
    t.match(verdictOn(log), { ok: false, code: 'log_damaged', index }, name);
  }
  writeFileSync(path, good);
  t.match(verdictOn(log), { ok: true });
  t.end();
});

t.test('whole batches deleted, doubled or swapped are found', (t) => {
  const log = logOf200(scratchFolder(t));
  const path = segmentPath(log.layout.segments, 0);
  const good = readFileSync(path);
  const at = [...stretchesOf(log)].filter(({ kind }) => kind === 'framing').map(({ start }) => start);
  const starts = at.filter((start) => good[start] === 0xff && good[start + 1] === 0x57);
  const batch = (i: number): Buffer => good.subarray(starts[i], starts[i + 1]);
  const all = starts.map((_, i) => batch(i));
  const rows: [string, Buffer[], object][] = [
    ['one deleted', all.toSpliced(3, 1), { code: 'log_damaged', index: 51 }],
    ['one doubled', all.toSpliced(3, 0, batch(3)), { code: 'log_damaged', index: 76 }],
    ['two swapped', all.with(3, batch(4)).with(4, batch(3)), { code: 'log_damaged', index: 51 }],
    ['the last deleted', all.slice(0, -1), { code: 'log_rolled_back', index: 176 }],
  ];
  for (const [name, batches, fault] of rows) {
    writeFileSync(path, Buffer.concat(batches));
    t.match(verdictOn(log), { ok: false, ...fault }, name);
  }
  t.end();
});

t.test('a tile that does not hold the hashes of the entries is found', (t) => {
  const log = makeScratchLog(scratchFolder(t));
  const store = openStore(log);
  fill(store, 600, 50);
  store.close();
  const path = join(log.layout.directory, 'tile/0/001');
  const tile = readFileSync(path);
  tile[99] = (tile[99] ?? 0) ^ 1;
  writeFileSync(path, tile);
  t.match(verdictOn(log), { ok: false, code: 'log_damaged', index: 256 });
  openStore(log).close();
  t.match(verdictOn(log), { ok: true }, 'the next start makes it again');
  t.end();
});

t.test('a whole rewrite by the key’s holder is found by whoever knows an older checkpoint', (t) => {
  const log = logOf200(scratchFolder(t));
  const { layout, identity } = log;
  const known = verifyLog({ layout, logKey: identity.logKey });
  t.ok(known.ok);
  const before = { origin: identity.origin, size: 200, root: Buffer.from(known.ok ? known.root : '', 'hex') };
  rewrite(log, 210);
  t.match(verdictOn(log), { ok: true, size: 210 }, 'alone, it looks good');
  t.match(verifyLog({ layout, logKey: identity.logKey, known: before }), {
    ok: false,
    code: 'log_rolled_back',
    index: 200,
  });
  rewrite(log, 150);
  t.match(verifyLog({ layout, logKey: identity.logKey, known: before }), {
    ok: false,
    code: 'log_rolled_back',
    index: 150,
  });
  t.end();
});

/** Another log under the same keys. */
function rewrite({ layout, identity }: ScratchLog, size: number): void {
  const { log } = readLogKeys(layout, identity);
  const seal = { head: (head: Parameters<typeof signHead>[2]) => signHead(log, identity.logKey, head) };
  const tree = new Tree(node, () => undefined);
  const composer = new Composer({ origin: identity.origin, prev: NO_PREVIOUS, seal, tree });
  const drafts = Array.from({ length: size }, (_, i) => callDraft(`/rewritten/${i}`));
  const { bytes, head } = composer.compose(drafts, NOW);
  writeFileSync(segmentPath(layout.segments, 0), bytes);
  writeFileSync(layout.checkpoint, head);
}
