/** Reads a log without a lock: what a running sidecar has written so far, up to its last whole batch. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { damaged } from './fault.ts';
import { wasPruned } from './hole.ts';
import { listSegments } from './layout.ts';
import type { SegmentName } from './layout.ts';
import { batchLength, HEADER_LENGTH, parseBatch, parseHeader, TRAILER_LENGTH } from './segment.ts';
import type { Batch, BatchHeader } from './segment.ts';

/** One entry of the log. */
export interface LogEntry {
  readonly seq: number;
  /** The statement's bytes. */
  readonly bytes: Uint8Array;
}

/** Where reading a segment ended: at its end, or at something that is not a whole batch with a right CRC. */
export interface SegmentEnd {
  readonly offset: number;
  /** The entry that would come next. */
  readonly seq: number;
  /** Bytes of the file when reading began: a running sidecar may have added more since. */
  readonly length: number;
  /** Absent at a clean end. */
  readonly broken?: Broken;
}

/** A batch that is not whole. */
export interface Broken {
  /** Undefined where its lengths do not fit. */
  readonly batch: Batch | undefined;
  /** What stands there, or the beginning of it. */
  readonly bytes: Uint8Array;
}

const WINDOW = 1024 * 1024;

/** The entries from `from` on, oldest first. Throws `log_damaged` where a batch before the last segment's end is broken. */
export function* readEntries(segments: string, from = 0): Generator<LogEntry, void> {
  for (const name of listSegments(segments)) if (name.until > from) yield* entriesOf(name, from);
}

/** One entry, or undefined where the log has none of this number. */
export function readEntry(segments: string, seq: number): Uint8Array | undefined {
  using entries = readEntries(segments, seq);
  const first = entries.next();
  return first.done || first.value.seq !== seq ? undefined : first.value.bytes;
}

function* entriesOf(name: SegmentName, from: number): Generator<LogEntry, void> {
  using batches = batchesOf(name, { until: name.until, from });
  let step = batches.next();
  for (; !step.done; step = batches.next()) {
    const { first, entries } = step.value;
    for (const [i, bytes] of entries.entries()) if (first + i >= from) yield { seq: first + i, bytes };
  }
  if (step.value.broken && name.until < Infinity)
    throw damaged({ index: step.value.seq, what: `${name.path} breaks off at byte ${step.value.offset}` });
}

/**
 * Holds the file open until it has ended: take it with `using`, or all of it. The intact batches of a segment, from the one that holds entry `from` up to the one before entry `until`. Batches
 * before that are skipped by their headers, unchecked.
 */
export function* batchesOf(
  name: Pick<SegmentName, 'path' | 'first'>,
  { from = 0, until }: { readonly from?: number; readonly until: number },
): Generator<Batch, SegmentEnd> {
  const fd = openListed(name);
  if (fd === undefined) return { offset: 0, seq: name.first, length: 0 };
  try {
    const file = new Window(fd);
    let offset = 0;
    let seq = name.first;
    while (seq < until) {
      const header = parseHeader(file.read(offset, HEADER_LENGTH));
      const length = header && wholeLength(file, offset, header);
      if (!header || length === undefined) return endOf(file, offset, seq);
      if (header.first + header.count > from) {
        const batch = parseBatch(file.read(offset, length), offset);
        if (!batch?.intact)
          return { ...endOf(file, offset, seq), broken: { batch, bytes: file.read(offset, WINDOW) } };
        yield batch;
      }
      seq = header.first + header.count;
      offset += length;
    }
    return { offset, seq, length: file.size };
  } finally {
    closeSync(fd);
  }
}

/** Undefined where the segment was pruned after it was listed: it is as empty then. */
function openListed(name: Pick<SegmentName, 'path' | 'first'>): number | undefined {
  try {
    return openSync(name.path, 'r');
  } catch (cause) {
    if (wasPruned(name, cause)) return undefined;
    throw cause;
  }
}

/** The end at an offset where no whole batch begins. */
function endOf(file: Window, offset: number, seq: number): SegmentEnd {
  const end = { offset, seq, length: file.size };
  return file.has(offset, 1)
    ? { ...end, broken: { batch: undefined, bytes: file.read(offset, WINDOW) } }
    : end;
}

/** The batch's length, or undefined where the file ends before it does. */
function wholeLength(file: Window, offset: number, header: BatchHeader): number | undefined {
  const trailer = HEADER_LENGTH + header.entriesLength;
  if (!file.has(offset, trailer + TRAILER_LENGTH)) return undefined;
  const length = batchLength(header, file.read(offset + trailer, TRAILER_LENGTH));
  return file.has(offset, length) ? length : undefined;
}

/** A moving window over a file as long as it was in the beginning. What `read` gives is never overwritten. */
class Window {
  readonly size: number;
  readonly #fd: number;
  #bytes: Buffer = Buffer.alloc(0);
  #start = 0;

  constructor(fd: number) {
    this.#fd = fd;
    this.size = fstatSync(fd).size;
  }

  has(offset: number, length: number): boolean {
    return offset + length <= this.size;
  }

  /** At most `length` bytes: fewer at the end of the file. */
  read(offset: number, length: number): Buffer {
    const at = offset - this.#start;
    if (at >= 0 && at + length <= this.#bytes.length) return this.#bytes.subarray(at, at + length);
    this.#bytes = this.#load(offset, Math.min(Math.max(length, WINDOW), this.size - offset));
    this.#start = offset;
    return this.#bytes.subarray(0, length);
  }

  #load(offset: number, length: number): Buffer {
    const bytes = Buffer.alloc(length);
    let done = 0;
    while (done < length) {
      const got = readSync(this.#fd, bytes, done, length - done, offset + done);
      if (got === 0) break;
      done += got;
    }
    return bytes.subarray(0, done);
  }
}
