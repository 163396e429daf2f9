/** A log of 200 entries to be damaged byte by byte, and where each of its bytes belongs. */
import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import { segmentPath } from '../../src/lineage/layout.ts';
import { batchesOf } from '../../src/lineage/read.ts';
import { verifyLog } from '../../src/lineage/verify.ts';
import type { BadLog, GoodLog } from '../../src/lineage/verify.ts';
import { fill, makeScratchLog, openStore } from './scratch-log.ts';
import type { ScratchLog } from './scratch-log.ts';

/** A stretch of the segment file: one entry's bytes, or framing of a batch. */
export interface Stretch {
  readonly kind: 'entry' | 'framing';
  readonly start: number;
  readonly end: number;
  /** The entries that damage here may be blamed on. */
  readonly first: number;
  readonly last: number;
}

/** A closed log with 200 entries, 25 in a batch but the first. */
export function logOf200(home: string): ScratchLog {
  const log = makeScratchLog(home);
  const store = openStore(log);
  fill(store, 199, 25);
  store.close();
  return log;
}

/** Every byte of the log's one segment belongs to exactly one stretch. */
export function stretchesOf({ layout }: ScratchLog): readonly Stretch[] {
  const path = segmentPath(layout.segments, 0);
  const file = readFileSync(path);
  const stretches: Stretch[] = [];
  for (const batch of batchesOf({ path, first: 0 }, { until: Number.MAX_SAFE_INTEGER })) {
    let at = batch.offset;
    const framing = (end: number): void => {
      stretches.push({ kind: 'framing', start: at, end, first: batch.first, last: batch.size - 1 });
    };
    for (const [i, entry] of batch.entries.entries()) {
      const start = file.indexOf(entry, at);
      framing(start);
      const seq = batch.first + i;
      at = start + entry.length;
      stretches.push({ kind: 'entry', start, end: at, first: seq, last: seq });
    }
    framing(batch.offset + batch.length);
  }
  return stretches;
}

/** What is said of the log with one byte of its segment changed; the byte is put back. */
export function verdictWithFlip(log: ScratchLog, at: number, mask: number): GoodLog | BadLog {
  const path = segmentPath(log.layout.segments, 0);
  const byte = readFileSync(path)[at] ?? 0;
  patch(path, at, byte ^ mask);
  try {
    return verifyLog({ layout: log.layout, logKey: log.identity.logKey });
  } finally {
    patch(path, at, byte);
  }
}

function patch(path: string, at: number, byte: number): void {
  const fd = openSync(path, 'r+');
  writeSync(fd, Buffer.of(byte), 0, 1, at);
  closeSync(fd);
}

/** Whether damage in a stretch was found, and blamed on the right entry. */
export function isFound(verdict: GoodLog | BadLog, { first, last }: Stretch): boolean {
  return !verdict.ok && verdict.index !== undefined && verdict.index >= first && verdict.index <= last;
}
