/** Opens the content coding of an answer (RFC 9110 §8.4.1) that is read beside its stream, which stays as it is. */
import { brotliDecompressSync, constants, gunzipSync, inflateSync, zstdDecompressSync } from 'node:zlib';

/** What was packed, up to where it was cut off; undefined where it is broken or larger than the limit, in bytes. */
export type Unpacker = (packed: Uint8Array, limit: number) => Uint8Array | undefined;

/** The unpacker for the values of `Content-Encoding`; undefined for none of them, several, or one that is not known. */
export function unpackerOf(codings: readonly string[]): Unpacker | undefined {
  const [coding = '', ...others] = codings;
  const open = others.length === 0 ? OPENERS.get(coding.trim().toLowerCase()) : undefined;
  return open && ((packed, limit) => attempt(() => open(packed, limit)));
}

type Opener = (packed: Uint8Array, limit: number) => Uint8Array;

/** A flush at the end instead of a finish takes what was cut off for what it holds. */
const OPENERS: ReadonlyMap<string, Opener> = new Map<string, Opener>([
  ['identity', (packed) => packed],
  ['gzip', (packed, limit) => gunzipSync(packed, flushing(constants.Z_SYNC_FLUSH, limit))],
  ['x-gzip', (packed, limit) => gunzipSync(packed, flushing(constants.Z_SYNC_FLUSH, limit))],
  ['deflate', (packed, limit) => inflateSync(packed, flushing(constants.Z_SYNC_FLUSH, limit))],
  ['br', (packed, limit) => brotliDecompressSync(packed, flushing(constants.BROTLI_OPERATION_FLUSH, limit))],
  ['zstd', (packed, limit) => zstdDecompressSync(packed, flushing(constants.ZSTD_e_flush, limit))],
]);

interface Flushing {
  readonly finishFlush: number;
  readonly maxOutputLength: number;
}

function flushing(finishFlush: number, maxOutputLength: number): Flushing {
  return { finishFlush, maxOutputLength };
}

/** zlib throws at what it cannot read, and at what grows too large. */
function attempt(open: () => Uint8Array): Uint8Array | undefined {
  try {
    return open();
  } catch {
    return undefined;
  }
}
