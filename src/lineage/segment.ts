/**
 * The bytes of a segment file (formats.md §5): batches one after the other, each written by one write and covered by one
 * sync. Codec only. All integers are big-endian.
 *
 *     header   ff 57 42 01 · first seq (8) · count (4) · bytes of the entries part (4)
 *     entries  count × (length (2) · entry)
 *     trailer  tree size (8) · root (32) · length of head (2) · signed head · CRC-32 of all before it in this batch (4)
 */
import { crc32 } from 'node:zlib';
import { decodeUtf8 } from '../crypto/bytes.ts';

/** Never part of UTF-8, so no entry and no head can contain it. */
export const BATCH_MAGIC = Uint8Array.of(0xff, 0x57, 0x42, 0x01);
/** Length of a batch's header. */
export const HEADER_LENGTH = 20;
/** c2sp.org/tlog-tiles: an entry's length is a uint16. */
export const MAX_ENTRY_LENGTH = 0xffff;
/** Length of the fixed part of a batch's trailer: all before the head. */
export const TRAILER_LENGTH = 42;
const HEAD_LENGTH_AT = 40;
const CRC_LENGTH = 4;
/** Kept between batches; a larger batch gives its buffer back. */
const KEPT_CAPACITY = 4 * 1024 * 1024;

/** A batch as it lies in a segment. Its lengths fit; nothing else is verified. */
export interface Batch {
  /** Whether its CRC is right. A batch that was torn by a crash is not intact. */
  readonly intact: boolean;
  /** Offset of its header in the segment. */
  readonly offset: number;
  /** Its length in bytes. */
  readonly length: number;
  readonly first: number;
  readonly entries: readonly Uint8Array[];
  /** Tree size and root after it. */
  readonly size: number;
  readonly root: Uint8Array;
  /** The signed note over them. */
  readonly head: string;
}

/** A batch's header: what is needed to know how much to read. */
export interface BatchHeader {
  readonly first: number;
  readonly count: number;
  readonly entriesLength: number;
}

/** The header in the first bytes of `bytes`, or undefined where there is none. */
export function parseHeader(bytes: Uint8Array): BatchHeader | undefined {
  if (bytes.length < HEADER_LENGTH || !BATCH_MAGIC.every((byte, i) => bytes[i] === byte)) return undefined;
  const view = viewOf(bytes);
  const first = Number(view.getBigUint64(4));
  return { first, count: view.getUint32(12), entriesLength: view.getUint32(16) };
}

/** The whole length of a batch, from its header and the fixed part of its trailer. */
export function batchLength(header: BatchHeader, trailer: Uint8Array): number {
  const headLength = viewOf(trailer).getUint16(HEAD_LENGTH_AT);
  return HEADER_LENGTH + header.entriesLength + TRAILER_LENGTH + headLength + CRC_LENGTH;
}

/** The batch that `bytes` (exactly one batch long) hold; `entries` are views. Undefined where its lengths do not fit. */
export function parseBatch(bytes: Uint8Array, offset: number): Batch | undefined {
  const header = parseHeader(bytes);
  if (!header) return undefined;
  const trailer = HEADER_LENGTH + header.entriesLength;
  if (bytes.length < trailer + TRAILER_LENGTH) return undefined;
  if (bytes.length !== batchLength(header, bytes.subarray(trailer))) return undefined;
  const view = viewOf(bytes);
  const end = bytes.length - CRC_LENGTH;
  const entries = splitEntries(bytes.subarray(HEADER_LENGTH, trailer));
  const head = decodeUtf8(bytes.subarray(trailer + TRAILER_LENGTH, end));
  if (entries?.length !== header.count || entries.length === 0 || head === undefined) return undefined;
  return {
    intact: view.getUint32(end) === crc32(bytes.subarray(0, end)),
    offset,
    length: bytes.length,
    first: header.first,
    entries,
    size: Number(view.getBigUint64(trailer)),
    root: bytes.slice(trailer + 8, trailer + 40),
    head,
  };
}

/** The batch that begins `bytes`, whatever follows it; undefined where none does. */
export function batchAt(bytes: Uint8Array): Batch | undefined {
  const header = parseHeader(bytes);
  const trailer = header && bytes.subarray(HEADER_LENGTH + header.entriesLength);
  if (!header || !trailer || trailer.length < TRAILER_LENGTH) return undefined;
  return parseBatch(bytes.subarray(0, batchLength(header, trailer)), 0);
}

/** The entry whose length stands at `at`, or undefined where it does not fit. */
export function entryAt(bytes: Uint8Array, at: number): Uint8Array | undefined {
  if (at + 2 > bytes.length) return undefined;
  const end = at + 2 + viewOf(bytes).getUint16(at);
  return end <= bytes.length ? bytes.subarray(at + 2, end) : undefined;
}

/** The entries of an entries part (also of a `tile/entries` bundle), or undefined where the lengths do not fit. */
export function splitEntries(bytes: Uint8Array): readonly Uint8Array[] | undefined {
  const entries: Uint8Array[] = [];
  let at = 0;
  for (let entry = entryAt(bytes, at); entry; entry = entryAt(bytes, at)) {
    entries.push(entry);
    at += 2 + entry.length;
  }
  return at === bytes.length ? entries : undefined;
}

/** Builds one batch after the other in a buffer that is used again. */
export class BatchBuilder {
  #bytes = Buffer.alloc(256 * 1024);
  #length = 0;
  #count = 0;
  #first = 0;

  /** Starts a batch. */
  begin(first: number): void {
    if (this.#bytes.length > KEPT_CAPACITY) this.#bytes = Buffer.alloc(KEPT_CAPACITY);
    this.#first = first;
    this.#count = 0;
    this.#length = HEADER_LENGTH;
  }

  /** Adds one entry, given in parts; the answer is a view of its bytes until the next `begin`, `add` or `finish`. */
  add(...parts: readonly string[]): Uint8Array {
    const start = this.#length + 2;
    let end = start;
    this.#reserve(start + 3 * parts.reduce((sum, part) => sum + part.length, 0));
    for (const part of parts) end += this.#bytes.write(part, end, 'utf8');
    if (end - start > MAX_ENTRY_LENGTH) throw new RangeError(`an entry of ${end - start} bytes is too large`);
    this.#bytes.writeUInt16BE(end - start, this.#length);
    this.#length = end;
    this.#count++;
    return this.#bytes.subarray(start, end);
  }

  /** Writes header and trailer; the answer is the whole batch, a view until the next `begin`. */
  finish({ size, root, head }: Pick<Batch, 'size' | 'root' | 'head'>): Uint8Array {
    this.#reserve(this.#length + TRAILER_LENGTH + 3 * head.length + CRC_LENGTH);
    const bytes = this.#bytes;
    const trailer = this.#length;
    bytes.set(BATCH_MAGIC);
    bytes.writeBigUInt64BE(BigInt(this.#first), 4);
    bytes.writeUInt32BE(this.#count, 12);
    bytes.writeUInt32BE(trailer - HEADER_LENGTH, 16);
    bytes.writeBigUInt64BE(BigInt(size), trailer);
    bytes.set(root, trailer + 8);
    const headLength = bytes.write(head, trailer + TRAILER_LENGTH, 'utf8');
    bytes.writeUInt16BE(headLength, trailer + HEAD_LENGTH_AT);
    const end = trailer + TRAILER_LENGTH + headLength;
    bytes.writeUInt32BE(crc32(bytes.subarray(0, end)), end);
    return bytes.subarray(0, end + CRC_LENGTH);
  }

  #reserve(capacity: number): void {
    if (capacity <= this.#bytes.length) return;
    const larger = Buffer.alloc(2 * capacity);
    this.#bytes.copy(larger, 0, 0, this.#length);
    this.#bytes = larger;
  }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
