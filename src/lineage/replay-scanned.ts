/** Reads a whole log, its segments but the last one several at a time, on other threads. */
import { Audit } from './audit.ts';
import { listSegments } from './layout.ts';
import { formatNoteKey } from './note.ts';
import { holeIn } from './hole.ts';
import { readVouched, Replay } from './replay.ts';
import type { Replayed, ReplayRules } from './replay.ts';
import type { ScanJob, SegmentScan } from './scanned.ts';
import { treeOn } from './tree-files.ts';

/** Scans segments somewhere else. */
export interface Scanner {
  /** How many segments it takes at a time. */
  readonly width: number;
  scan(job: ScanJob): Promise<SegmentScan | undefined>;
  /** Takes the memory of a scan back, for another one. */
  release(scan: SegmentScan): void;
}

/** Entries of all segments that are being scanned, 32 bytes each: with very large segments, fewer of them at a time. */
const MOST_ENTRIES = 1024 * 1024;

/** The same as `replay`, sooner; undefined where a segment is odd: then `replay` says what is wrong. Throws as it does. */
export async function replayScanned(rules: ReplayRules, scanner: Scanner): Promise<Replayed | undefined> {
  const { layout, everyHead } = rules;
  const logKey = formatNoteKey(rules.logKey);
  const audit = new Audit(rules.logKey.name, treeOn(layout));
  const reading = new Replay(rules, { vouched: readVouched(layout, rules.logKey), audit });
  const segments = listSegments(layout.segments);
  const pruned = holeIn(segments) !== undefined;
  const jobs = segments
    .slice(0, -1)
    .map((segment, i) => ({ ...segment, ...(pruned && i === 0 && { until: 1 }), logKey, everyHead }));
  let next = 0;
  for await (const scan of inOrder(jobs, scanner)) {
    const job = jobs[next++];
    if (!job || !scan || !reading.scanned(job, scan)) return undefined;
    scanner.release(scan);
  }
  const last = segments.at(-1);
  if (last) reading.segment(last);
  return reading.finish();
}

/** The scans in order; the scanner is given the next jobs meanwhile, and no more, so that memory stays flat. */
async function* inOrder(
  jobs: readonly ScanJob[],
  scanner: Scanner,
): AsyncGenerator<SegmentScan | undefined, void> {
  const running: Promise<SegmentScan | undefined>[] = [];
  for (const [i, current] of jobs.entries()) {
    for (const job of jobs.slice(i + running.length, i + scanner.width)) {
      if (running.length > 0 && job.until - current.first > MOST_ENTRIES) break;
      running.push(startOf(scanner, job));
    }
    yield await running.shift();
  }
}

/** A scan that fails is an odd one; nobody else is waiting for it when it does. */
function startOf(scanner: Scanner, job: ScanJob): Promise<SegmentScan | undefined> {
  return scanner.scan(job).catch(() => undefined);
}
