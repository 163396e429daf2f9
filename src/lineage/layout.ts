/** Where everything of a log lies in a home directory (design.md §7). */
import { readdirSync } from 'node:fs';
import { basename, join } from 'node:path';

/** The paths of one home's log. */
export interface LogLayout {
  readonly keys: string;
  readonly logKey: string;
  readonly receiptKey: string;
  /** The log itself; tiles and `checkpoint` in it can be served as they are (c2sp.org/tlog-tiles). */
  readonly directory: string;
  readonly segments: string;
  readonly checkpoint: string;
  /** The newest checkpoint that enough witnesses have cosigned; only where witnesses are asked. */
  readonly cosigned: string;
  /** Checkpoints, and what an authority said when it saw them: `<size>.checkpoint`, `<size>.tsr`. Only where one is asked. */
  readonly timestamps: string;
  readonly lock: string;
  /** Held by whoever archives or prunes. */
  readonly retentionLock: string;
  /** Torn tails, copied aside before they are cut. */
  readonly torn: string;
  /** A snapshot of the use counts: derived from the log, made again when missing. */
  readonly uses: string;
  /** Which entry tells what was pruned, where something was: found again when missing. */
  readonly pruned: string;
  /** Stands while the log is being made. */
  readonly unfinished: string;
  /** For finding entries; made from the log, and made again whenever it is not good. */
  readonly catalogue: string;
  /** What policies were asked, where it is kept. */
  readonly inputs: string;
}

/** The layout of the log in `home`. */
export function layoutOf(home: string): LogLayout {
  const directory = join(home, 'lineage');
  return {
    keys: join(home, 'keys'),
    logKey: join(home, 'keys', 'log.jwk'),
    receiptKey: join(home, 'keys', 'receipt.jwk'),
    directory,
    segments: join(directory, 'segments'),
    checkpoint: join(directory, 'checkpoint'),
    cosigned: join(directory, 'cosigned'),
    timestamps: join(directory, 'timestamps'),
    lock: join(directory, 'lock'),
    retentionLock: join(directory, 'retention-lock'),
    torn: join(directory, 'torn'),
    uses: join(home, 'replay', 'uses'),
    pruned: join(directory, 'pruned'),
    unfinished: join(directory, 'unfinished'),
    catalogue: join(home, 'catalogue.sqlite'),
    inputs: join(home, 'inputs'),
  };
}

/** A segment file. */
export interface SegmentName {
  readonly path: string;
  /** Its first entry. */
  readonly first: number;
  /** Where it ceases to count: the first entry of the next segment, or infinity. */
  readonly until: number;
}

/** The path of the segment that begins with this entry. */
export function segmentPath(segments: string, first: number): string {
  return join(segments, `${String(first).padStart(16, '0')}.log`);
}

/** The entry that the segment of this path begins with. */
export function segmentFirst(path: string): number {
  return Number.parseInt(basename(path), 10);
}

/** All segments, in order. Throws what `readdir` throws. */
export function listSegments(segments: string): readonly SegmentName[] {
  const names = readdirSync(segments).filter((name) => /^[0-9]{16}\.log$/.test(name));
  const firsts = names.map((name) => Number.parseInt(name, 10)).sort((a, b) => a - b);
  return firsts.map((first, i) => ({
    path: segmentPath(segments, first),
    first,
    until: firsts[i + 1] ?? Infinity,
  }));
}
