import {
  appendFileSync,
  copyFileSync,
  existsSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import t from 'tap';
import { toHex } from '../../src/crypto/bytes.ts';
import { node } from '../../src/crypto/node.ts';
import { NO_PREVIOUS, chainHash } from '../../src/lineage/audit.ts';
import { verifyCheckpoint } from '../../src/lineage/checkpoint.ts';
import { listSegments, segmentPath } from '../../src/lineage/layout.ts';
import { locateEntries } from '../../src/lineage/locate.ts';
import { leafHash } from '../../src/lineage/merkle.ts';
import { checkpointOver } from '../../src/lineage/prove.ts';
import { findPosition } from '../../src/lineage/position.ts';
import { rootOfInclusion } from '../../src/lineage/proof.ts';
import { readEntries, readEntry } from '../../src/lineage/read.ts';
import { BATCH_MAGIC } from '../../src/lineage/segment.ts';
import type { Store } from '../../src/lineage/store.ts';
import { verifyLog } from '../../src/lineage/verify.ts';
import { scratchFolder } from './scratch-folder.ts';
import { callDraft, fill, makeScratchLog, NOW, openStore } from './scratch-log.ts';
import type { ScratchLog } from './scratch-log.ts';

function headOf(
  log: ScratchLog,
  store: Store,
): { readonly size: number; readonly root: Uint8Array } | undefined {
  return verifyCheckpoint(node, store.head, [log.identity.logKey]);
}

t.test('entries are numbered, timed and chained', (t) => {
  const log = makeScratchLog(scratchFolder(t));
  const store = openStore(log);
  t.equal(store.append([callDraft('/a'), callDraft('/b')]).first, 1);
  t.equal(store.append([callDraft('/c')]).first, 3);
  let prev = NO_PREVIOUS;
  for (const { seq, bytes } of readEntries(log.layout.segments)) {
    const at = new Date(NOW).toISOString();
    t.strictSame(findPosition(bytes), { at, origin: log.identity.origin, prev, seq });
    prev = chainHash(bytes);
  }
  t.equal(store.size, 4);
  store.close();
  t.end();
});

t.test('each entry is proven under the released head, also over tiles and segments', (t) => {
  const log = makeScratchLog(scratchFolder(t));
  const store = openStore(log, 100_000);
  fill(store, 700, 7);
  const head = headOf(log, store);
  t.equal(head?.size, 701);
  for (const { seq, bytes } of readEntries(log.layout.segments)) {
    const hashes = store.inclusion(seq) ?? [];
    const root = rootOfInclusion(node, { index: seq, size: 701, leaf: leafHash(node, bytes), hashes });
    if (!root || !head || toHex(root) !== toHex(head.root)) t.fail(`entry ${seq}`);
  }
  t.ok(listSegments(log.layout.segments).length > 3, 'a full segment is followed by a new one');
  t.ok(existsSync(join(log.layout.directory, 'tile/0/001')), 'full tiles are files');
  t.equal(store.inclusion(701), undefined, 'no proof of what is not there');
  t.equal(store.entry(-1), undefined);
  t.strictSame(store.entry(300), readEntry(log.layout.segments, 300));
  store.close();
  t.match(verifyLog({ layout: log.layout, logKey: log.identity.logKey }), {
    ok: true,
    size: 701,
    vouched: 701,
  });
  t.end();
});

t.test(
  'an entry that was changed on disk is not given, whatever its checksum: what is given gets signed',
  (t) => {
    const log = makeScratchLog(scratchFolder(t));
    const store = openStore(log);
    store.append([callDraft('/asked')]);
    const path = segmentPath(log.layout.segments, 0);
    const bytes = readFileSync(path);
    const batch = bytes.subarray(bytes.lastIndexOf(Buffer.from(BATCH_MAGIC)));
    batch.write('/other', batch.indexOf('/asked'));
    batch.writeUInt32BE(crc32(batch.subarray(0, -4)), batch.length - 4);
    writeFileSync(path, bytes);
    t.match(
      Buffer.from(readEntry(log.layout.segments, 1) ?? []).toString(),
      '"path":"/other"',
      'it reads well',
    );
    t.throws(() => store.entry(1), { code: 'log_damaged', index: 1 });
    store.close();
    t.end();
  },
);

t.test('a closed log goes on where it stopped, with the same head', (t) => {
  const log = makeScratchLog(scratchFolder(t));
  const first = openStore(log);
  fill(first, 300);
  const { head } = first;
  first.close();
  t.equal(readFileSync(log.layout.checkpoint, 'utf8'), head, 'closing vouches for everything');
  const second = openStore(log);
  t.equal(second.head, head);
  t.equal(second.append([callDraft('/next')]).first, 301);
  t.ok(second.inclusion(17), 'old leaves are proven from tiles');
  second.close();
  t.match(verifyLog({ layout: log.layout, logKey: log.identity.logKey }), { ok: true, size: 302, torn: 0 });
  t.end();
});

t.test('reading from any entry gives the rest', (t) => {
  const log = makeScratchLog(scratchFolder(t));
  const store = openStore(log, 20_000);
  fill(store, 100, 3);
  for (const from of [0, 1, 2, 50, 99, 100]) {
    const seqs = [...readEntries(log.layout.segments, from)].map(({ seq }) => seq);
    t.strictSame([seqs.at(0), seqs.length], [from, 101 - from]);
  }
  t.strictSame([...readEntries(log.layout.segments, 101)], []);
  t.equal(readEntry(log.layout.segments, 101), undefined);
  store.close();
  t.end();
});

t.test('the checkpoint file is brought up to date when asked', (t) => {
  const log = makeScratchLog(scratchFolder(t));
  const store = openStore(log);
  const before = readFileSync(log.layout.checkpoint, 'utf8');
  fill(store, 1);
  t.equal(readFileSync(log.layout.checkpoint, 'utf8'), before);
  store.vouch();
  t.equal(readFileSync(log.layout.checkpoint, 'utf8'), store.head);
  store.close();
  t.end();
});

t.test('a segment that is no longer ours is noticed before the next acknowledgement', (t) => {
  const rows: [string, (path: string) => void][] = [
    ['unlinked', (path) => rmSync(path)],
    ['moved away', (path) => renameSync(path, `${path}.moved`)],
    ['replaced by a copy', (path) => (copyFileSync(path, `${path}.copy`), renameSync(`${path}.copy`, path))],
    ['cut', (path) => truncateSync(path, 100)],
    ['emptied', (path) => truncateSync(path, 0)],
    ['grown', (path) => appendFileSync(path, 'x'.repeat(5000))],
    ['in a directory that was moved', (path) => renameSync(join(path, '..'), join(path, '../../elsewhere'))],
  ];
  const full = [undefined, 1]; // with room, and so that the next append begins another segment
  for (const [name, change, segmentBytes] of full.flatMap((bytes) =>
    rows.map((row) => [...row, bytes] as const),
  )) {
    const log = makeScratchLog(scratchFolder(t));
    const store = openStore(log, segmentBytes);
    fill(store, 2);
    const { head } = store;
    change(listSegments(log.layout.segments).at(-1)?.path ?? '');
    t.throws(() => store.append([callDraft('/lost')]), `${name}, ${segmentBytes}`);
    t.equal(store.head, head, 'no head of it was released');
    t.throws(() => store.append([callDraft('/after')]), 'nothing is taken any more');
    t.equal(store.inclusion(0), undefined, 'nothing is proven any more');
    t.ok(store.failure);
    t.throws(() => store.close(), { message: store.failure?.message ?? '' }, 'nor is it closed well');
  }
  t.end();
});

t.test('a file of the right length that is not ours is noticed as well', (t) => {
  const log = makeScratchLog(scratchFolder(t));
  const store = openStore(log);
  const path = segmentPath(log.layout.segments, 0);
  const lengths = [1, 2].map(() => (store.append([callDraft('/same')]), statSync(path).size));
  copyFileSync(path, `${path}.copy`);
  truncateSync(`${path}.copy`, 2 * (lengths[1] ?? 0) - (lengths[0] ?? 0)); // as long as ours will be
  renameSync(`${path}.copy`, path);
  t.throws(() => store.append([callDraft('/same')]), { message: /replaced by another file/ });
  t.end();
});

t.test('a failure is for good, also where its cause goes away', (t) => {
  const log = makeScratchLog(scratchFolder(t));
  const store = openStore(log);
  const path = segmentPath(log.layout.segments, 0);
  fill(store, 1);
  renameSync(path, `${path}.away`);
  t.throws(() => store.append([callDraft('/lost')]), { code: 'ENOENT' });
  renameSync(`${path}.away`, path);
  t.throws(() => store.append([callDraft('/after')]), { code: 'ENOENT' });
  t.throws(() => store.vouch(), { code: 'ENOENT' });
  t.end();
});

t.test('a checkpoint file that cannot be written ends the log', (t) => {
  const log = makeScratchLog(scratchFolder(t));
  const store = openStore(log);
  fill(store, 1);
  renameSync(log.layout.directory, `${log.layout.directory}.away`);
  t.throws(() => store.vouch());
  t.throws(() => store.append([callDraft('/after')]));
  t.end();
});

t.test('a segment ends at the first append after its age, also over a restart', (t) => {
  const log = makeScratchLog(scratchFolder(t));
  let now = NOW;
  const rules = { clock: () => now, segmentSeconds: 60 };
  const firsts = (): readonly number[] => listSegments(log.layout.segments).map(({ first }) => first);
  const first = openStore(log, undefined, rules);
  now += 59_999;
  first.append([callDraft('/young')]);
  t.strictSame(firsts(), [0]);
  now += 1;
  t.strictSame(firsts(), [0], 'nobody appends');
  first.append([callDraft('/old')]);
  t.strictSame(firsts(), [0, 2]);
  first.close();
  now += 59_999;
  const second = openStore(log, undefined, rules);
  second.append([callDraft('/still young')]);
  t.strictSame(firsts(), [0, 2]);
  now += 1;
  second.append([callDraft('/old again')]);
  t.strictSame(firsts(), [0, 2, 4]);
  now -= 10_000_000;
  second.append([callDraft('/a clock that was set back')]);
  t.strictSame(firsts(), [0, 2, 4]);
  second.close();
  t.match(verifyLog({ layout: log.layout, logKey: log.identity.logKey }), { ok: true, size: 6 });
  t.end();
});

t.test('whoever reads a part of the log lets its files go', { skip: !existsSync('/proc/self/fd') }, (t) => {
  const log = makeScratchLog(scratchFolder(t));
  const store = openStore(log, 10_000);
  fill(store, 60, 5);
  store.close();
  const { layout, identity } = log;
  const read: [string, () => unknown][] = [
    ['one entry', () => readEntry(layout.segments, 7)],
    ['the first entries', () => {
      for (const { seq } of readEntries(layout.segments)) if (seq === 7) break;
    }],
    ['the first located entries', () => {
      for (const { seq } of locateEntries(layout.segments, 0)) if (seq === 7) break;
    }],
    ['a checkpoint', () => checkpointOver(layout, identity.logKey, 6)],
    ['a start', () => openStore(log).close()],
  ]; // prettier-ignore
  for (const [name, work] of read) {
    work();
    const open = readdirSync('/proc/self/fd').map((fd) => linkOf(`/proc/self/fd/${fd}`));
    t.strictSame(
      open.filter((path) => path.startsWith(layout.directory)),
      [],
      name,
    );
  }
  t.end();
});

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return ''; // it was the listing's own
  }
}
