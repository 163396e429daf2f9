/**
 * The hole that a pruning leaves in the segments: entry 0, then nothing up to some entry. It only grows, and it may grow
 * while somebody reads. Whether an entry owns up to it, `pruned.ts` says.
 */
import { dirname } from 'node:path';
import { listSegments } from './layout.ts';
import type { LogLayout, SegmentName } from './layout.ts';
import { sizeAtEnd } from './segment-end.ts';

/** The first entry after the hole that begins at entry 1; undefined where the segments have none. */
export function holeIn(segments: readonly SegmentName[]): number | undefined {
  const [first, second] = segments;
  if (first?.first !== 0 || !second || second.first === 1) return undefined;
  return sizeAtEnd(first.path) === 1 ? second.first : undefined;
}

/** The same, of a log on disk. */
export function holeOf({ segments }: LogLayout): number | undefined {
  return holeIn(listSegments(segments));
}

/** Whether a segment that could not be opened, though it was listed, lies in the hole by now. */
export function wasPruned({ path, first }: Pick<SegmentName, 'path' | 'first'>, cause: unknown): boolean {
  const isGone = cause instanceof Error && 'code' in cause && cause.code === 'ENOENT';
  return isGone && first < (holeIn(listSegments(dirname(path))) ?? 0);
}

/** Whether the hole has grown since this was made: then what was read meanwhile may be half the old log, half the new. */
export class HoleWatch {
  readonly #layout: LogLayout;
  readonly #before: number;

  constructor(layout: LogLayout) {
    this.#layout = layout;
    this.#before = this.#now();
  }

  hasGrown(): boolean {
    return this.#now() > this.#before;
  }

  #now(): number {
    try {
      return holeOf(this.#layout) ?? 0;
    } catch {
      return 0; // whoever reads says what is wrong
    }
  }
}

/**
 * What `read` answers; where it throws, or answers nothing, and more was pruned meanwhile, it reads again. The new
 * reading judges the new hole: one that no entry owns up to is damage as ever.
 */
export function whilePruned<T>(layout: LogLayout, read: () => T): T {
  const watch = new HoleWatch(layout);
  try {
    const value = read();
    if (value !== undefined || !watch.hasGrown()) return value;
  } catch (cause) {
    if (!watch.hasGrown()) throw cause;
  }
  return whilePruned(layout, read);
}
