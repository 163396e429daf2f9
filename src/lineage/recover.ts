/**
 * Brings a log back to where it can go on (formats.md §5). What was written after the `checkpoint` file vouched for it is
 * trusted only once it was written again: after a crash the kernel may show pages that the disk never took. Each step
 * may be repeated after a crash of its own.
 */
import { randomUUID } from 'node:crypto';
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  truncateSync,
} from 'node:fs';
import { join } from 'node:path';
import { Composer } from './composer.ts';
import type { ComposerStart } from './composer.ts';
import { replaceFile, syncDirectory, writeFully } from './durable.ts';
import { whilePruned } from './hole.ts';
import { listSegments, segmentPath } from './layout.ts';
import type { LogLayout, SegmentName } from './layout.ts';
import { notePruning } from './pruned.ts';
import { batchesOf } from './read.ts';
import type { SegmentEnd } from './read.ts';
import { replay, replayTail } from './replay.ts';
import type { ReplayRules, Tail } from './replay.ts';
import type { NoteKey } from './note.ts';
import type { Seal } from './seal.ts';
import { mendTileFile } from './tiles/tile-files.ts';
import { draft } from './statement.ts';

/** What a log needs of the outside to be opened. */
export interface LogRules {
  readonly layout: LogLayout;
  readonly logKey: NoteKey;
  readonly seal: Seal;
  /** Unix time in milliseconds. */
  readonly clock: () => number;
}

/** A log that can go on. */
export interface Recovered {
  readonly composer: Composer;
  readonly head: string;
  /** The segment to go on with, and how much of it counts. */
  readonly path: string;
  readonly length: number;
}

/**
 * Reads what the checkpoint does not cover (or the whole log, where tiles are missing or anything looks odd), mends the
 * tail, vouches for all of it. Throws what `replay` throws, and nothing is signed then.
 */
export function recover(rules: LogRules): Recovered {
  const { layout, logKey, seal } = rules;
  const reading: ReplayRules = {
    layout,
    logKey,
    everyHead: false,
    onTile: (tile) => mendTileFile(layout.directory, tile),
  };
  const { audit, head, tail, pruned } =
    whilePruned(layout, () => replayTail(reading)) ?? whilePruned(layout, () => replay(reading));
  if (pruned) notePruning(layout, pruned.by);
  const start: ComposerStart = { origin: logKey.name, tree: audit.tree, prev: audit.prev, seal };
  removeUnfinished(layout);
  const composer = new Composer(start);
  const path = tail.segment.path;
  if (tail.start === tail.length) return { composer, head, path, length: tail.length };
  if (tail.endsInGap) finishRewrite(layout, tail);
  const mended = tail.endsInGap ? { head, path, length: tail.length } : rewriteTail(rules, composer, tail);
  replaceFile(layout.checkpoint, mended.head);
  return { composer, ...mended };
}

function removeUnfinished({ segments }: LogLayout): void {
  for (const name of readdirSync(segments)) if (name.endsWith('.tmp')) rmSync(join(segments, name));
}

/** Good batches and a `gap` entry become a segment of their own; only then is the old tail cut. */
function rewriteTail(
  rules: LogRules,
  composer: Composer,
  tail: Tail,
): { readonly head: string; readonly path: string; readonly length: number } {
  const { layout } = rules;
  const torn = tail.length > tail.end ? copyTornAside(rules, tail) : undefined;
  const gap = { cause: 'unclean stop', recovered: composer.tree.size - tail.first, ...(torn && { torn }) };
  const { bytes, head } = composer.compose([draft('gap', randomUUID(), gap)], rules.clock());
  const path = segmentPath(layout.segments, tail.first);
  const length = copyRange(tail.segment.path, `${path}.tmp`, { from: tail.start, to: tail.end, then: bytes });
  renameSync(`${path}.tmp`, path);
  syncDirectory(layout.segments);
  if (path !== tail.segment.path) cut(tail.segment.path, tail.start);
  return { head, path, length };
}

/** An earlier recovery wrote the new segment; it may have been killed before it did the rest. */
function finishRewrite({ segments }: LogLayout, tail: Tail): void {
  syncDirectory(segments);
  const before = listSegments(segments).at(-2);
  if (!before || tail.start > 0) return; // it rewrote a whole segment, in its own place
  const { offset, seq, length } = endOf(before);
  if (seq === before.until && length > offset) cut(before.path, offset);
}

/** Where a segment ceases to count. */
function endOf(segment: SegmentName): SegmentEnd {
  using batches = batchesOf(segment, { from: segment.until, until: segment.until });
  let step = batches.next();
  while (!step.done) step = batches.next();
  return step.value;
}

function copyTornAside({ layout }: LogRules, tail: Tail): { readonly bytes: number; readonly file: string } {
  const file = `${String(tail.first).padStart(16, '0')}-${randomUUID()}.torn`;
  mkdirSync(layout.torn, { recursive: true, mode: 0o700 });
  copyRange(tail.segment.path, join(layout.torn, file), { from: tail.end, to: tail.length });
  syncDirectory(layout.torn);
  syncDirectory(layout.directory);
  return { bytes: tail.length - tail.end, file };
}

/** Copies a range of a file, and `then` after it, into a new file; synced on return. The answer is its length. */
function copyRange(
  source: string,
  target: string,
  range: { readonly from: number; readonly to: number; readonly then?: Uint8Array },
): number {
  const input = openSync(source, 'r');
  const output = openSync(target, 'w', 0o600);
  try {
    const chunk = Buffer.alloc(1024 * 1024);
    let at = range.from;
    while (at < range.to) {
      const got = readSync(input, chunk, 0, Math.min(chunk.length, range.to - at), at);
      if (got === 0) throw new Error(`${source} became shorter while it was copied`);
      writeFully(output, chunk.subarray(0, got), at - range.from);
      at += got;
    }
    const rest = range.then ?? new Uint8Array(0);
    writeFully(output, rest, range.to - range.from);
    fsyncSync(output);
    return range.to - range.from + rest.length;
  } finally {
    closeSync(output);
    closeSync(input);
  }
}

function cut(path: string, length: number): void {
  truncateSync(path, length);
  const fd = openSync(path, 'r');
  fsyncSync(fd);
  closeSync(fd);
}
