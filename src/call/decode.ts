/**
 * Opens the content coding of a request's body (RFC 9110 §8.4.1) where it can be opened in one way only. Readers of gzip
 * differ about what stands behind its first member: some stop there, some go on, and some skip zeros before the next.
 */
import { brotliDecompressSync, crc32, inflateRawSync } from 'node:zlib';

/** The body without its coding; throws where it is broken, ambiguous, or larger than the limit (`ERR_BUFFER_TOO_LARGE`). */
export type Decoder = (packed: Uint8Array, limit: number) => Uint8Array;

/** The decoder of one coding, by its lower-case name; undefined for all others. */
export function decoderOf(coding: string): Decoder | undefined {
  return DECODERS.get(coding);
}

const DECODERS: ReadonlyMap<string, Decoder> = new Map<string, Decoder>([
  ['gzip', gunzip],
  ['br', (packed, limit) => whole(brotliDecompressSync, packed, limit)],
]);

/** RFC 1952 §2.3: fixed header, CRC-32 and size. */
const HEADER_BYTES = 10;
const TRAILER_BYTES = 8;
const FNAME = 8;

/** Exactly one member, its header plain or with a file's name. */
function gunzip(packed: Uint8Array, limit: number): Uint8Array {
  const bytes = Buffer.from(packed.buffer, packed.byteOffset, packed.length);
  const end = bytes.length - TRAILER_BYTES;
  const plain = whole(inflateRawSync, bytes.subarray(headerBytes(bytes), Math.max(end, 0)), limit);
  if (bytes.readUInt32LE(end) !== crc32(plain) || bytes.readUInt32LE(end + 4) !== plain.length)
    throw new Error('another CRC-32 or size');
  return plain;
}

function headerBytes(bytes: Buffer): number {
  const [first, second, method, flags] = bytes;
  const known = first === 0x1f && second === 0x8b && method === 8;
  if (!known || (flags !== 0 && flags !== FNAME)) throw new Error('no gzip, or with odd flags');
  return flags === FNAME ? bytes.indexOf(0, HEADER_BYTES) + 1 || bytes.length : HEADER_BYTES;
}

type Open = (
  packed: Uint8Array,
  options: { readonly info: true; readonly maxOutputLength: number },
) => unknown;

/** What comes out where nothing is left over. */
function whole(open: Open, packed: Uint8Array, limit: number): Uint8Array {
  const opened = open(packed, { info: true, maxOutputLength: limit });
  const { buffer, engine } = opened as { buffer: Uint8Array; engine: { bytesWritten: number } }; // what `info` gives
  if (engine.bytesWritten !== packed.length) throw new Error('bytes behind the end');
  return buffer;
}
