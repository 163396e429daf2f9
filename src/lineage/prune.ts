/**
 * Drops the oldest sealed segments of a log. What stays: entry 0, every hash, and an entry that says what went. Each step
 * may be the last one before a crash: until the first file goes the log is whole, and after that each state is that of a
 * log of which less was pruned.
 */
import { readFileSync, rmSync } from 'node:fs';
import { replaceFile, syncDirectory } from './durable.ts';
import { findPosition } from './position.ts';
import { listSegments } from './layout.ts';
import type { LogLayout, SegmentName } from './layout.ts';
import { holeIn } from './hole.ts';
import { checkPruned, findPruning, notePruning } from './pruned.ts';
import type { Pruning } from './pruned.ts';
import { readProven } from './read-proven.ts';
import { batchAt } from './segment.ts';
import { secureTiles } from './tiles/tile-files.ts';
import { TILE_WIDTH } from './tiles/tile.ts';
import type { Tree } from './tree.ts';

/** What can be dropped. */
export interface Prunable {
  /** Entries `from` to `until` − 1; all before `from` but entry 0 are gone already. */
  readonly from: number;
  readonly until: number;
  /** The files that hold them. The first one also holds entry 0, where nothing was pruned before. */
  readonly segments: readonly SegmentName[];
  /** The time in the last of these entries, RFC 3339. */
  readonly last: string;
  /** Why no more, where that is not because of their age: our own sentence. */
  readonly stopped: string | undefined;
}

/** Why nothing can be dropped: our own sentence. */
export interface NotPrunable {
  readonly why: string;
}

/** Which entries may go. */
export interface PruneRules {
  readonly layout: LogLayout;
  /** The tree of the `checkpoint` file. */
  readonly tree: Tree;
  /** Only entries written before then, Unix time in milliseconds. */
  readonly before: number;
  /** Unix time in milliseconds. */
  readonly now: number;
}

const NOT_OLD_ENOUGH =
  'no sealed segment is old enough; the newest one, and one whose hash tiles are not full yet, always stay';
/** A use, or a nonce, must be remembered for so long after it expired (formats.md §2). */
const REMEMBER_SECONDS = 24 * 3600;

/**
 * The longest run of sealed segments from the beginning, all of whose entries are older than `before`, and none of which
 * may still count: it ends before a grant or a nonce that can be valid. Throws `log_damaged`.
 */
export function findPrunable(rules: PruneRules): Prunable | NotPrunable {
  const { layout, tree, now } = rules;
  const segments = listSegments(layout.segments);
  const hole = holeIn(segments);
  if (hole !== undefined) checkPruned(layout, tree, hole); // one entry owns up to all of it: nothing else may hide in there
  const from = hole ?? 1;
  const sealed = segments.slice(hole === undefined ? 0 : 1, -1).filter(({ until }) => isCovered(tree, until));
  const most = sealed.at(-1)?.until ?? from;
  let until = from;
  let last = '';
  let stopped: string | undefined;
  for (const { seq, bytes } of readProven(layout, tree, from)) {
    if (seq === most) break;
    const at = findPosition(bytes)?.at ?? '';
    if (!(Date.parse(at) < rules.before)) break;
    const needed = neededUntil(bytes);
    if (needed > now) {
      stopped = stillNeeded(seq, needed);
      break;
    }
    if (sealed.some((segment) => segment.until === seq + 1)) [until, last] = [seq + 1, at];
  }
  if (until === from) return { why: stopped ?? NOT_OLD_ENOUGH };
  return { from, until, segments: sealed.filter((segment) => segment.until <= until), last, stopped };
}

/** What is dropped, and the entry that owns up to it. */
export interface Drop {
  readonly layout: LogLayout;
  readonly tree: Tree;
  readonly prunable: Prunable;
  /** Makes the entry durable, and vouched for by the `checkpoint` file; answers its number. */
  readonly record: (pruning: Pick<Pruning, 'until' | 'root'>) => Promise<number>;
}

/** Drops it; answers the entry that tells so. Rejects where that could not be recorded: then nothing was dropped. */
export async function prune({ layout, tree, prunable, record }: Drop): Promise<number> {
  const { until, segments } = prunable;
  secureTiles(layout.directory, Math.ceil(until / TILE_WIDTH), (index) => tree.leaves(index));
  const pruning = await pruningOf({ layout, tree, until, record });
  notePruning(layout, pruning);
  for (const segment of segments) drop(layout, segment);
  return pruning.entry;
}

/** The one that an earlier attempt left, or a new one. */
async function pruningOf({
  layout,
  tree,
  until,
  record,
}: Omit<Drop, 'prunable'> & { readonly until: number }): Promise<Pruning> {
  const left = findPruning(layout, tree, until);
  if (left) return left;
  const root = tree.hashOf({ start: 0, end: until });
  return { entry: await record({ until, root }), until, root };
}

/** Whether all leaves before `until` are in full tiles: those of the last one are made from entries. */
function isCovered(tree: Tree, until: number): boolean {
  return Math.ceil(until / TILE_WIDTH) * TILE_WIDTH < tree.size;
}

/** Until when an entry must be there for uses and nonces to be counted, Unix time in milliseconds. */
function neededUntil(bytes: Uint8Array): number {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (!text.includes('"expires":')) return 0;
  const { predicate } = JSON.parse(text.toString('utf8')) as { predicate: Expiring }; // ours: it is in the signed tree
  const expires = [predicate.grant?.expires, predicate.possession?.expires].map((each) => Number(each ?? 0));
  return 1000 * (Math.max(...expires) + REMEMBER_SECONDS);
}

interface Expiring {
  readonly grant?: { readonly expires?: number } | null;
  readonly possession?: { readonly expires?: number };
}

function stillNeeded(seq: number, until: number): string {
  return (
    `the grant or nonce in entry ${seq} counts until ${new Date(until).toISOString()}: ` +
    'without that entry its uses could not be counted again'
  );
}

/** Entry 0 stays, alone; each step is durable before the next. */
function drop({ segments }: LogLayout, { path, first }: SegmentName): void {
  if (first > 0) rmSync(path, { force: true });
  else replaceFile(path, genesisBatch(path));
  syncDirectory(segments);
}

function genesisBatch(path: string): Uint8Array {
  const bytes = readFileSync(path);
  const batch = batchAt(bytes);
  if (!batch?.intact || batch.size !== 1) throw new Error(`${path} does not begin with entry 0 alone`);
  return bytes.subarray(0, batch.length);
}
