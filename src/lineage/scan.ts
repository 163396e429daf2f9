/**
 * Reads one segment as fast as can be, apart from all others: framing, checksums, positions, the chain within it, and the
 * leaf hash of every entry. Whoever asked pushes the leaves into the tree and compares the roots. It says what it found
 * only where all is good; what exactly is wrong, `replay` finds out.
 */
import { hash } from 'node:crypto';
import { closeSync, openSync, readSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { node } from '../crypto/node.ts';
import { chainHash } from './audit.ts';
import { headText, verifyCheckpoint } from './checkpoint.ts';
import { HASH_LENGTH } from './merkle.ts';
import { parseNote, parseNoteKey } from './note.ts';
import type { NoteKey } from './note.ts';
import { ENTRY_START, positionRest } from './position.ts';
import { batchLength, HEADER_LENGTH, parseHeader, TRAILER_LENGTH } from './segment.ts';
import type { BatchHeader } from './segment.ts';
import type { ScanJob, SegmentScan } from './scanned.ts';

/** Scans one segment after the other, with one buffer. */
export class SegmentScanner {
  readonly #buffer = Buffer.alloc(BLOCK);

  /** The scan of a segment; undefined where anything in it is odd. Throws what reading a file throws. */
  scan(job: ScanJob): SegmentScan | undefined {
    const logKey = parseNoteKey(node, job.logKey);
    if (!logKey) throw new Error('a segment is scanned under a log’s key');
    const fd = openSync(job.path, 'r');
    try {
      return new Scan(job, { logKey, fd, bytes: this.#buffer }).run();
    } finally {
      closeSync(fd);
    }
  }
}

const CRC_LENGTH = 4;
const PREV_LENGTH = 128;
const AT_LENGTH = 24;
const AT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const BLOCK = 1024 * 1024;
/** For the hashes of 128 Ki entries, more than a segment of the usual length has. */
const FIRST_ROOM = 4 * 1024 * 1024;

class Scan {
  readonly #job: ScanJob;
  readonly #logKey: NoteKey;
  readonly #fd: number;
  readonly #sizes: number[] = [];
  #hashes: Buffer<ArrayBuffer>;
  #hashed = 0;
  #bytes: Buffer;
  /** The part of the buffer that holds bytes of the file not looked at yet. */
  #start = 0;
  #end = 0;
  #seq: number;
  #firstPrev = '';
  #prev = '';

  constructor(
    job: ScanJob,
    { logKey, fd, bytes }: { readonly logKey: NoteKey; readonly fd: number; readonly bytes: Buffer },
  ) {
    this.#job = job;
    this.#logKey = logKey;
    this.#fd = fd;
    this.#bytes = bytes;
    this.#seq = job.first;
    this.#hashes = Buffer.from(job.room ?? new ArrayBuffer(FIRST_ROOM));
  }

  run(): SegmentScan | undefined {
    while (this.#seq < this.#job.until) if (!this.#batch()) return undefined;
    if (this.#seq !== this.#job.until) return undefined;
    return {
      hashes: new Uint8Array(this.#hashes.buffer, 0, this.#hashed),
      sizes: Float64Array.from(this.#sizes),
      prev: this.#firstPrev,
      chain: this.#prev,
    };
  }

  #batch(): boolean {
    if (!this.#has(HEADER_LENGTH)) return false;
    const header = parseHeader(this.#bytes.subarray(this.#start, this.#end));
    if (header?.first !== this.#seq || header.count === 0) return false;
    const trailerAt = HEADER_LENGTH + header.entriesLength;
    if (!this.#has(trailerAt + TRAILER_LENGTH)) return false;
    const length = batchLength(header, this.#bytes.subarray(this.#start + trailerAt));
    if (!this.#has(length)) return false;
    const batch = this.#bytes.subarray(this.#start, this.#start + length);
    this.#start += length;
    return this.#isIntact(batch) && this.#entries(batch, header) && this.#head(batch, header);
  }

  #isIntact(batch: Buffer): boolean {
    const end = batch.length - CRC_LENGTH;
    return batch.readUInt32BE(end) === crc32(batch.subarray(0, end));
  }

  /** The head must be over the size and root beside it; those are compared with the tree later. */
  #head(batch: Buffer, { entriesLength }: BatchHeader): boolean {
    const at = HEADER_LENGTH + entriesLength;
    const size = Number(batch.readBigUInt64BE(at));
    const root = batch.subarray(at + 8, at + 8 + HASH_LENGTH);
    this.#sizes.push(size);
    this.#keep(root.toString('latin1'));
    const head = batch.toString('utf8', at + TRAILER_LENGTH, batch.length - CRC_LENGTH);
    const text = headText({ origin: this.#logKey.name, size, root });
    if (size !== this.#seq || parseNote(head)?.text !== text) return false;
    if (!this.#job.everyHead && size < this.#job.until) return true;
    return verifyCheckpoint(node, head, [this.#logKey]) !== undefined;
  }

  #entries(batch: Buffer, { entriesLength, count }: BatchHeader): boolean {
    const end = HEADER_LENGTH + entriesLength;
    let at = HEADER_LENGTH;
    let found = batch.indexOf(ENTRY_START, at);
    for (let i = 0; i < count; i++) {
      const start = at + 2;
      if (start > end) return false;
      at = start + batch.readUInt16BE(start - 2);
      if (at > end || found < start || found > at) return false;
      const next = batch.indexOf(ENTRY_START, found + 1);
      if (next >= 0 && next < at) return false; // a second position
      if (!this.#fits(batch, found)) return false;
      this.#take(batch, start, at);
      found = next;
    }
    return at === end;
  }

  /** Whether the position that begins here is the next one. */
  #fits(batch: Buffer, found: number): boolean {
    const from = found + ENTRY_START.length;
    const rest = from + AT_LENGTH;
    if (this.#seq === this.#job.first) {
      const prevAt = rest + positionRest(this.#logKey.name, '', 0).indexOf('","seq":');
      this.#prev = this.#firstPrev = batch.toString('latin1', prevAt, prevAt + PREV_LENGTH);
    }
    const wanted = positionRest(this.#logKey.name, this.#prev, this.#seq);
    return (
      batch.toString('latin1', rest, rest + wanted.length) === wanted &&
      AT.test(batch.toString('latin1', from, rest))
    );
  }

  /** The byte before an entry, of its length, is not needed any more: it becomes the leaf's 0x00. */
  #take(batch: Buffer, start: number, end: number): void {
    this.#prev = chainHash(batch.subarray(start, end));
    batch[start - 1] = 0;
    this.#keep(hash('sha256', batch.subarray(start - 1, end), 'binary'));
    this.#seq++;
  }

  #keep(hash: string): void {
    if (this.#hashed === this.#hashes.length) {
      const larger = Buffer.from(new ArrayBuffer(2 * this.#hashes.length));
      this.#hashes.copy(larger);
      this.#hashes = larger;
    }
    this.#hashed += this.#hashes.write(hash, this.#hashed, HASH_LENGTH, 'latin1');
  }

  /** Whether the file has so many more bytes; then they stand in the buffer. */
  #has(length: number): boolean {
    if (this.#end - this.#start >= length) return true;
    const old = this.#bytes;
    if (length > old.length) this.#bytes = Buffer.alloc(2 * length);
    old.copy(this.#bytes, 0, this.#start, this.#end);
    this.#end -= this.#start;
    this.#start = 0;
    while (this.#end < length) {
      const got = readSync(this.#fd, this.#bytes, this.#end, this.#bytes.length - this.#end, null);
      if (got === 0) return false;
      this.#end += got;
    }
    return true;
  }
}
