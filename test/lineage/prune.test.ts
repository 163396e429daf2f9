/** A pruned log is as good as before, but for what its dropped entries said. */
import { appendFileSync, cpSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { equalBytes } from '../../src/crypto/bytes.ts';
import { node } from '../../src/crypto/node.ts';
import { Catalogue } from '../../src/lineage/catalogue/catalogue.ts';
import { listSegments, segmentPath } from '../../src/lineage/layout.ts';
import { leafHash } from '../../src/lineage/merkle.ts';
import { parseProof, rootOfInclusion } from '../../src/lineage/proof.ts';
import { proveFromFiles } from '../../src/lineage/prove.ts';
import { readEntries, readEntry } from '../../src/lineage/read.ts';
import { prune } from '../../src/lineage/prune.ts';
import { readProven } from '../../src/lineage/read-proven.ts';
import { readVouched } from '../../src/lineage/replay.ts';
import { resume, treeAt } from '../../src/lineage/resume.ts';
import { ScanCrew } from '../../src/lineage/scan-crew.ts';
import { readEntryBundle } from '../../src/lineage/tiles/source.ts';
import { verifyLargeLog, verifyLog } from '../../src/lineage/verify.ts';
import { prunableOf, pruneLog, segmentedLog } from './pruned-log.ts';
import { scratchFolder } from './scratch-folder.ts';
import { callDraft, fill, makeScratchLog, NOW, openStore, scratchLog } from './scratch-log.ts';
import type { ScratchLog } from './scratch-log.ts';

const verdictOn = ({ layout, identity }: ScratchLog): ReturnType<typeof verifyLog> =>
  verifyLog({ layout, logKey: identity.logKey });
const seqsOf = ({ layout }: ScratchLog): readonly number[] =>
  [...readEntries(layout.segments)].map(({ seq }) => seq);
function copyOf(t: Parameters<typeof scratchFolder>[0], { home }: ScratchLog): string {
  const copy = scratchFolder(t);
  cpSync(home, copy, { recursive: true });
  return copy;
}
const range = (from: number, until: number): readonly number[] =>
  Array.from({ length: until - from }, (_, i) => from + i);

t.test('the oldest sealed segments go; entry 0, every hash and a gap entry stay', async (t) => {
  const log = segmentedLog(scratchFolder(t));
  const leaves = [...readEntries(log.layout.segments)].map(({ bytes }) => leafHash(node, bytes));
  const before = listSegments(log.layout.segments);
  const { until, entry } = await pruneLog(log);
  t.equal(entry, 801);
  t.ok(until > 600 && until <= 768, 'leaves that are in full tiles');
  t.ok(
    before.some(({ first }) => first === until),
    'whole segments go',
  );
  t.strictSame(seqsOf(log), [0, ...range(until, 802)]);
  t.match(Buffer.from(readEntry(log.layout.segments, entry) ?? []).toString(), `"cause":"pruned","entry":{`);
  t.match(verdictOn(log), { ok: true, size: 802, pruned: { until, entry }, missingTiles: 0 });
  const crew = new ScanCrew(2);
  t.match(await verifyLargeLog({ layout: log.layout, logKey: log.identity.logKey }, crew), verdictOn(log));
  await crew.close();
  const { root } = readVouched(log.layout, log.identity.logKey);
  for (const seq of [0, 1, 255, 256, until - 1, until, 800]) {
    const proof = parseProof((await proveFromFiles(log.layout, log.identity.logKey, seq)) ?? '');
    const leaf = leaves[seq] ?? new Uint8Array(0);
    const reached = proof && rootOfInclusion(node, { index: seq, size: 802, leaf, hashes: proof.hashes });
    t.ok(reached && equalBytes(reached, root), `entry ${seq} is proven`);
  }
  t.equal(await readEntryBundle(log.layout, 0, 256), undefined, 'no bundle of what is gone');
  t.equal(await readEntryBundle(log.layout, 0, 2), undefined);
  t.ok(await readEntryBundle(log.layout, 3, 33));
});

t.test('a pruned log starts from its checkpoint, goes on, and is pruned again', async (t) => {
  const log = segmentedLog(scratchFolder(t));
  const { layout, identity } = log;
  const { until } = await pruneLog(log);
  t.ok(resume(layout, readVouched(layout, identity.logKey)), 'without reading it all');
  const store = openStore(log, 60_000);
  fill(store, 600, 20);
  t.ok(store.inclusion(5));
  t.equal(store.entry(5), undefined);
  store.close();
  const again = await pruneLog(log);
  t.ok(again.until > until);
  t.match(verdictOn(log), { ok: true, size: 1403, pruned: { until: again.until, entry: 1402 } });
  t.strictSame(seqsOf(log), [0, ...range(again.until, 1403)]);
  rmSync(layout.pruned);
  t.match(verdictOn(log), { ok: true, pruned: { entry: 1402 } }, 'the entry is found without the note');
  openStore(log).close();
  t.equal(readFileSync(layout.pruned, 'utf8'), '1402\n', 'the note is written again');
  const head = readVouched(layout, identity.logKey);
  rmSync(join(layout.directory, 'tile/1'), { recursive: true, force: true });
  const proven = [...readProven(layout, treeAt(layout, head), 0)].map(({ seq }) => seq);
  t.strictSame(proven, [0, ...range(again.until, 1403)]);
});

t.test('a start after a crash recovers a pruned log, also one whose last entry is the gap', async (t) => {
  const log = segmentedLog(scratchFolder(t));
  const vouched = readFileSync(log.layout.checkpoint);
  const { until } = await pruneLog(log);
  writeFileSync(log.layout.checkpoint, vouched); // the crash came before it was brought up to date
  openStore(log).close();
  const last = Buffer.from(readEntry(log.layout.segments, 802) ?? []).toString();
  t.match(last, /"cause":"unclean stop"/, 'the pruning’s own gap is no recovery');
  t.match(verdictOn(log), { ok: true, size: 803, pruned: { until, entry: 801 } });
  const [tail] = listSegments(log.layout.segments).slice(-1);
  if (!tail) throw new Error('the log has segments');
  appendFileSync(tail.path, 'torn');
  openStore(log).close();
  t.match(verdictOn(log), { ok: true, size: 804, torn: 0 });
});

t.test('the catalogue forgets what was pruned, and is made anew from what stays', async (t) => {
  const log = segmentedLog(scratchFolder(t));
  const rules = { layout: log.layout, origin: log.identity.origin };
  const found = (catalogue: Catalogue): readonly number[] =>
    catalogue.find({}, { limit: 10_000 }).map(({ seq }) => seq);
  const catalogue = new Catalogue(rules);
  t.equal(found(catalogue).length, 801);
  const { until } = await pruneLog(log);
  catalogue.refresh();
  t.strictSame(found(catalogue), [0, ...range(until, 802)]);
  catalogue.close();
  const rebuilt = Catalogue.rebuild(rules);
  t.strictSame(found(rebuilt), [0, ...range(until, 802)]);
  rebuilt.close();
});

t.test('entries that are pruned while they are read are passed over', async (t) => {
  const whole = segmentedLog(scratchFolder(t));
  const [some, proven, bundled] = [0, 1, 2].map(() => scratchLog(copyOf(t, whole)));
  if (!some || !proven || !bundled) throw new Error('there are three');
  const readRest = async (log: ScratchLog, entries: Iterator<{ seq: number }>): Promise<void> => {
    entries.next();
    const { until, entry } = await pruneLog(log);
    const seqs = [...{ [Symbol.iterator]: () => entries }].map(({ seq }) => seq);
    const end = seqs.at(-1) ?? 0;
    const opened = seqs.indexOf(until); // the file that was open is read to its end
    t.ok(opened > 1 && opened < 100, 'then comes what stays');
    t.strictSame(seqs, [...range(1, opened + 1), ...range(until, end + 1)]);
    t.ok(end >= entry - 1);
  };
  await readRest(some, readEntries(some.layout.segments));
  const tree = treeAt(proven.layout, readVouched(proven.layout, proven.identity.logKey));
  await readRest(proven, readProven(proven.layout, tree, 0));
  const bundle = readEntryBundle(bundled.layout, 0, 256);
  await pruneLog(bundled);
  t.equal(await bundle, undefined);
  const entries = readEntries(whole.layout.segments);
  entries.next();
  rmSync(listSegments(whole.layout.segments)[2]?.path ?? '');
  t.throws(() => [...entries], { code: 'ENOENT' }, 'what went and was not pruned is missed');
});

t.test('nothing is dropped before the entry is on record, nor where it cannot be', async (t) => {
  const log = segmentedLog(scratchFolder(t), 400);
  const { layout } = log;
  const prunable = prunableOf(log);
  if ('why' in prunable) throw new Error(prunable.why);
  const tree = treeAt(layout, readVouched(layout, log.identity.logKey));
  const filesOf = (): readonly Buffer[] =>
    listSegments(layout.segments).map(({ path }) => readFileSync(path));
  const before = filesOf();
  const record = (): Promise<number> => {
    t.strictSame(filesOf(), before);
    return Promise.reject(new Error('the disk is full'));
  };
  await t.rejects(prune({ layout, tree, prunable, record }), { message: 'the disk is full' });
  t.strictSame(filesOf(), before);
  t.notOk(existsSync(layout.pruned));
});

t.test('a hole that no entry owns up to is damage', async (t) => {
  const honest = segmentedLog(scratchFolder(t));
  const hidden = scratchLog(copyOf(t, honest));
  const pruned = scratchLog(copyOf(t, honest));
  const { until } = await pruneLog(pruned);
  const genesis = segmentPath('', 0);
  cpSync(join(pruned.layout.segments, genesis), join(hidden.layout.segments, genesis));
  for (const { path, first } of listSegments(hidden.layout.segments))
    if (first > 0 && first < until) rmSync(path);
  t.match(verdictOn(hidden), { ok: false, code: 'log_damaged', index: 1 });
  t.throws(() => openStore(hidden), { code: 'log_damaged' });
  t.throws(() => prunableOf(hidden), { code: 'log_damaged' });
  rmSync(segmentPath(pruned.layout.segments, until));
  t.match(verdictOn(pruned), { ok: false, code: 'log_damaged' }, 'a segment more than was pruned');
  t.throws(() => openStore(pruned), { code: 'log_damaged' });
});

t.test('what could still count stays', (t) => {
  const log = makeScratchLog(scratchFolder(t));
  const store = openStore(log, 60_000);
  fill(store, 300, 20);
  const expires = NOW / 1000 + 600;
  store.append([callDraft('/counted', { grant: { chain: [], expires: Math.floor(expires) } })]);
  fill(store, 500, 20);
  store.close();
  const day = 24 * 3600 * 1000;
  const at = (now: number): object => prunableOf(log, { now, before: now });
  t.match(at(NOW + 1000), { until: Number, stopped: /entry 301 counts until 2026-01-03T03:14/ });
  t.ok(Number((at(NOW + 1000) as { until: number }).until) <= 301);
  t.match(at(NOW + 600_000 + day + 1000), { stopped: undefined });
  t.ok(Number((at(NOW + 600_000 + day + 1000) as { until: number }).until) > 301);
  t.match(prunableOf(log, { before: NOW }), { why: /no sealed segment is old enough/ });
  t.end();
});

t.test('a tile of pruned entries that is missing or changed is damage that nothing can mend', async (t) => {
  const log = segmentedLog(scratchFolder(t));
  await pruneLog(log);
  const tile = join(log.layout.directory, 'tile/0/001');
  const good = readFileSync(tile);
  rmSync(tile);
  t.match(verdictOn(log), { ok: false, code: 'log_damaged', index: 256 });
  writeFileSync(tile, Buffer.from(good).fill(7, 320, 352));
  t.match(verdictOn(log), { ok: false, code: 'log_damaged' });
  writeFileSync(tile, good);
  t.match(verdictOn(log), { ok: true });
});
