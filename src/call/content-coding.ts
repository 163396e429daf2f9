/**
 * Opens the content coding of an answer (RFC 9110 §8.4.1) that is read beside its stream, which stays as it is: piece by
 * piece, on Node's threads, with little of it held at a time.
 */
import { once } from 'node:events';
import type { Transform } from 'node:stream';
import {
  constants,
  createBrotliDecompress,
  createGunzip,
  createInflate,
  createZstdDecompress,
} from 'node:zlib';

/** Packed bytes that wait to be opened; where more would, the answer came too fast to be read. */
const MAX_HELD = 1024 * 1024;
/** What may come out of so much more than went in, behind a first MiB: text packs well, and a bomb better. */
const FREE = 1024 * 1024;
const MAX_RATIO = 50;

/** One answer's opening. Whatever it holds, it never throws. */
export class Unpacker {
  readonly #stream: Transform;
  #mayOpen = FREE;
  #broken = false;

  /** `take` gets what comes out, 16 KiB at a time; false, and no more of it is opened. */
  constructor(stream: Transform, take: (bytes: Uint8Array) => boolean) {
    this.#stream = stream;
    stream.on('error', () => this.#give());
    stream.on('data', (bytes: Buffer) => {
      this.#mayOpen -= bytes.length;
      if (!this.#broken && (this.#mayOpen < 0 || !take(bytes))) this.#give();
    });
  }

  /** Takes the next packed bytes. */
  add(bytes: Uint8Array): void {
    if (this.#broken) return;
    this.#mayOpen += bytes.length * MAX_RATIO;
    if (this.#stream.writableLength + bytes.length > MAX_HELD) this.#give();
    else this.#stream.write(bytes);
  }

  /** Opens the rest; false where not all of it could be read. What was cut off counts for what it holds. */
  async close(): Promise<boolean> {
    if (!this.#broken) this.#stream.end();
    if (!this.#stream.closed) await once(this.#stream, 'close').catch(() => undefined); // its error was heard
    return !this.#broken;
  }

  #give(): void {
    this.#broken = true;
    this.#stream.destroy();
  }
}

/** What opens these values of `Content-Encoding`; undefined for none of them, several, or one that is not known. */
export function decompressorOf(codings: readonly string[]): (() => Transform) | undefined {
  const [coding = '', ...others] = codings;
  return others.length === 0 ? OPENERS.get(coding.trim().toLowerCase()) : undefined;
}

const gunzip = (): Transform => createGunzip({ finishFlush: constants.Z_SYNC_FLUSH });
/** 8 MiB of memory, which is what an answer may ask for (RFC 9659 §3). */
const ZSTD = { [constants.ZSTD_d_windowLogMax]: 23 };

/** A flush at the end instead of a finish takes what was cut off for what it holds. */
const OPENERS: ReadonlyMap<string, () => Transform> = new Map([
  ['gzip', gunzip],
  ['x-gzip', gunzip],
  ['deflate', () => createInflate({ finishFlush: constants.Z_SYNC_FLUSH })],
  ['br', () => createBrotliDecompress({ finishFlush: constants.BROTLI_OPERATION_FLUSH })],
  ['zstd', () => createZstdDecompress({ finishFlush: constants.ZSTD_e_flush, params: ZSTD })],
]);
