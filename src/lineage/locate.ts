/** Where entries lie in the segment files, so that one of a million is read without reading all before it. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { damaged } from './fault.ts';
import { holeIn } from './hole.ts';
import { listSegments, segmentPath } from './layout.ts';
import type { SegmentName } from './layout.ts';
import { findPosition } from './position.ts';
import { batchesOf, readEntry } from './read.ts';
import type { LogEntry, SegmentEnd } from './read.ts';
import { batchLength, HEADER_LENGTH, parseBatch, parseHeader, TRAILER_LENGTH } from './segment.ts';

/** Where an entry was seen: its segment's first entry, and the offset of its batch. Only a hint: a recovery moves batches. */
export interface Place {
  readonly segment: number;
  readonly offset: number;
}

/** An entry, and where it lies. */
export interface LocatedEntry extends LogEntry {
  readonly place: Place;
}

/**
 * As `readEntries`, with the place of each entry. Throws `log_damaged` where a segment before the last one is broken, or
 * where entries are missing between two of them that the hole of a pruning does not hold.
 */
export function* locateEntries(segments: string, from: number): Generator<LocatedEntry, void> {
  const names = listSegments(segments);
  for (const [i, name] of names.entries()) {
    const until = names[i + 1]?.first;
    if (until !== undefined && until <= from) continue;
    const { broken, seq, offset } = yield* locateIn(name, from, until);
    if (broken && until !== undefined)
      throw damaged({ index: seq, what: `${name.path} breaks off at byte ${offset}` });
    if (until !== undefined && seq < until && until > (holeIn(listSegments(segments)) ?? 0))
      throw damaged({ index: seq, what: 'entries are missing from here on' });
  }
}

function* locateIn(
  name: SegmentName,
  from: number,
  until = Number.MAX_SAFE_INTEGER,
): Generator<LocatedEntry, SegmentEnd> {
  using batches = batchesOf(name, { from, until });
  let step = batches.next();
  for (; !step.done; step = batches.next()) {
    const { first, entries, offset } = step.value;
    const place = { segment: name.first, offset };
    for (const [i, bytes] of entries.entries()) if (first + i >= from) yield { seq: first + i, bytes, place };
  }
  return step.value;
}

/** The entry of this number: at the place where it was seen, else wherever it is now; undefined where it is gone. */
export function readLocated(
  segments: string,
  seq: number,
  { segment, offset }: Place,
): Uint8Array | undefined {
  const seen = entryAtPlace(segmentPath(segments, segment), offset, seq);
  if (seen && findPosition(seen)?.seq === seq) return seen;
  const elsewhere = readEntry(segments, seq);
  return elsewhere && findPosition(elsewhere)?.seq === seq ? elsewhere : undefined;
}

function entryAtPlace(path: string, offset: number, seq: number): Uint8Array | undefined {
  let fd: number;
  try {
    fd = openSync(path, 'r');
  } catch {
    return undefined;
  }
  try {
    const batch = parseBatch(readBatch(fd, offset), offset);
    return batch?.intact ? batch.entries[seq - batch.first] : undefined;
  } finally {
    closeSync(fd);
  }
}

/** The bytes of the batch at an offset; fewer where there is none. */
function readBatch(fd: number, offset: number): Uint8Array {
  const { size } = fstatSync(fd);
  const read = (at: number, length: number): Buffer => {
    const bytes = Buffer.alloc(Math.max(0, Math.min(length, size - at)));
    return bytes.subarray(0, readSync(fd, bytes, 0, bytes.length, at));
  };
  const header = parseHeader(read(offset, HEADER_LENGTH));
  const trailer = header && read(offset + HEADER_LENGTH + header.entriesLength, TRAILER_LENGTH);
  if (!header || !trailer || trailer.length < TRAILER_LENGTH) return new Uint8Array(0);
  return read(offset, batchLength(header, trailer));
}
