/** The checker of the crash tests judges pruned logs itself: what it must find, and that it does. */
import { appendFileSync, cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import t from 'tap';
import { archiveSegments } from '../../src/lineage/archive.ts';
import { listSegments, segmentPath } from '../../src/lineage/layout.ts';
import { pruningDraft } from '../../src/lineage/pruned.ts';
import { prunableOf, pruneLog, segmentedLog } from '../lineage/pruned-log.ts';
import { scratchFolder } from '../lineage/scratch-folder.ts';
import { openStore, scratchLog } from '../lineage/scratch-log.ts';
import type { ScratchLog } from '../lineage/scratch-log.ts';
import { archiveFaults } from './archive-checker.ts';
import { checkLog, rootAt, wrongTiles } from './checker.ts';
import { violations } from './violations.ts';

const ENTRIES = 400;

/** What is done to a pruned log, and what the checker says. `whole` is the log before. */
const rows: readonly [name: string, harm: (log: ScratchLog, whole: ScratchLog) => void, says: RegExp][] = [
  ['they went without a word', hide, /no entry says that they were pruned/],
  ['a segment more is gone', ({ layout }) => rmSync(listSegments(layout.segments)[1]?.path ?? ''), /a tile of entries that are gone, is missing/],
  ['a segment after the hole is gone', ({ layout }) => rmSync(listSegments(layout.segments)[2]?.path ?? ''), /breaks off before the next/],
  ['the entry that owns up is not vouched for', ({ layout }, whole) => cpSync(whole.layout.checkpoint, layout.checkpoint), /no entry says that they were pruned/],
  ['a tile of them is gone', ({ layout }) => rmSync(join(layout.directory, 'tile/0/000')), /000, a tile of entries that are gone, is missing/],
  ['a tile of them is short', ({ layout }) => writeFileSync(join(layout.directory, 'tile/0/000'), 'x'), /is missing/],
  ['a hash of one is another', ({ layout }) => flip(join(layout.directory, 'tile/0/000'), 32 * 5), /the root after \d+ entries is another/],
  ['the hash of entry 0 is another', ({ layout }) => flip(join(layout.directory, 'tile/0/000'), 0), /entry 0 is not in its tile/],
  ['the note names another entry', ({ layout }) => writeFileSync(layout.pruned, '7\n'), /the note of the pruning says 7/],
  ['an entry tells of another root', (log) => record(log, 100), /has another root of what was pruned/],
  ['an entry tells of itself', (log) => record(log, 10_000), /does not say what was pruned/],
]; // prettier-ignore

/** Takes back the entry that tells of the pruning, and its note. */
function hide({ layout }: ScratchLog, whole: ScratchLog): void {
  rmSync(segmentPath(layout.segments, ENTRIES + 1));
  rmSync(layout.pruned);
  cpSync(whole.layout.checkpoint, layout.checkpoint);
}

function flip(path: string, at: number): void {
  const bytes = readFileSync(path);
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  writeFileSync(path, bytes);
}

function record(log: ScratchLog, until: number): void {
  const store = openStore(log);
  store.append([pruningDraft({ until, root: new Uint8Array(32) })]);
  store.close();
}

t.test('the checker finds what is wrong with a pruned log', async (t) => {
  const folder = scratchFolder(t);
  const whole = segmentedLog(join(folder, 'whole'), ENTRIES);
  const { origin } = whole.identity;
  const pruned = copy(whole, 'pruned');
  const { until } = await pruneLog(pruned);
  const before = checkLog(whole.home, origin);
  const after = checkLog(pruned.home, origin);
  t.match(after, { prunedUntil: until, torn: 0 });
  t.strictSame(wrongTiles(pruned.home, after), []);
  const heads = [...before.roots].map(([size, root]) => ({ size, root }));
  const earlier = before.entries.map(({ text }) => text);
  const seen = { arrived: [], answers: [], earlier, heads };
  t.strictSame(violations(after, seen), [], 'its entries and heads are those of the log before');
  const other = [...earlier.slice(0, 5), `${earlier[5]} `, ...earlier.slice(6)];
  t.match(violations(after, { ...seen, earlier: other }), ['P3 entry 5 is not what it was']);
  t.match(violations(after, { ...seen, heads: [{ size: 21, root: rootAt(before, 41) ?? '' }] }), [/^P4/]);
  for (const [name, harm, says] of rows) {
    const log = copy(pruned, 'harmed');
    harm(log, whole);
    t.throws(() => checkLog(log.home, origin), { message: says }, name);
  }

  function copy(log: ScratchLog, name: string): ScratchLog {
    const home = join(folder, name);
    rmSync(home, { recursive: true, force: true });
    cpSync(log.home, home, { recursive: true });
    return scratchLog(home);
  }
});

t.test('what was archived is what was pruned, and makes the log whole again', async (t) => {
  const folder = scratchFolder(t);
  const log = segmentedLog(join(folder, 'home'), ENTRIES);
  const { origin } = log.identity;
  const before = checkLog(log.home, origin);
  const prunable = prunableOf(log);
  if ('why' in prunable) throw new Error(prunable.why);
  const archive = join(folder, 'archive');
  archiveSegments({ ...prunable, folder: archive, checkpoint: readFileSync(log.layout.checkpoint, 'utf8') });
  await pruneLog(log);
  const after = checkLog(log.home, origin);
  t.strictSame(archiveFaults(archive, after), []);
  const files = listSegments(archive);
  for (const { path } of files) cpSync(path, join(log.layout.segments, basename(path)));
  const restored = checkLog(log.home, origin);
  t.equal(restored.prunedUntil, 1);
  t.strictSame(
    restored.entries.slice(0, before.entries.length).map(({ text }) => text),
    before.entries.map(({ text }) => text),
  );
  const [first, second, third] = files.map(({ path }) => path);
  flip(first ?? '', 900);
  t.match(archiveFaults(archive, after), [/another digest/]);
  flip(first ?? '', 900);
  appendFileSync(join(archive, 'SHA256SUMS'), `${'0'.repeat(64)}  0000000000009999.log\n`);
  t.match(archiveFaults(archive, after), [/9999.log is listed, and not there/]);
  cpSync(third ?? '', second ?? '');
  t.match(archiveFaults(archive, after), [/9999/, /another digest/]);
  writeFileSync(join(archive, 'checkpoint'), 'x\n1\n');
  t.match(archiveFaults(archive, after)[1], /checkpoint is not of this log/);
});
