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
/** And in so many pieces: a small one takes more beside its bytes. */
const MAX_PIECES = 1024;
/** What may come out of so much more than went in, behind a first MiB: text packs well, and a bomb better. */
const FREE = 1024 * 1024;
const MAX_RATIO = 50;

/** One answer's opening. Whatever it holds, it never throws. */
export class Unpacker {
  readonly #stream: Transform;
  /** What came while a thread opens what came before. */
  #waiting: Uint8Array[] = [];
  #held = 0;
  #mayOpen = FREE;
  #busy = false;
  #broken = false;
  #admits: Coding['admits'];

  /** `take` gets what comes out, 16 KiB at a time; false, and no more of it is opened. */
  constructor({ open, admits }: Coding, take: (bytes: Uint8Array) => boolean) {
    const stream = open();
    this.#stream = stream;
    this.#admits = admits;
    stream.on('error', () => this.#give());
    stream.on('data', (bytes: Buffer) => {
      this.#mayOpen -= bytes.length;
      if (!this.#broken && (this.#mayOpen < 0 || !take(bytes))) this.#give();
    });
  }

  /** Takes the next packed bytes. */
  add(bytes: Uint8Array): void {
    const [first] = bytes;
    if (this.#broken || first === undefined) return;
    if (this.#admits?.(first) === false) return this.#give();
    this.#admits = undefined;
    this.#mayOpen += bytes.length * MAX_RATIO;
    this.#held += bytes.length;
    this.#waiting.push(bytes);
    if (this.#held > MAX_HELD) this.#give();
    else if (!this.#busy) this.#open();
    else if (this.#waiting.length > MAX_PIECES) this.#waiting = [Buffer.concat(this.#waiting)];
  }

  /** Opens the rest; false where not all of it could be read. What was cut off counts for what it holds. */
  async close(): Promise<boolean> {
    if (!this.#broken) this.#stream.end(this.#joined());
    if (!this.#stream.closed) await once(this.#stream, 'close').catch(() => undefined); // its error was heard
    return !this.#broken;
  }

  /** All that waits, in one go: a byte at a time is as dear to a thread, and to us, as 16 KiB. */
  #open(): void {
    this.#busy = true;
    this.#stream.write(this.#joined(), () => {
      this.#busy = false;
      if (this.#waiting.length > 0 && !this.#broken) this.#open();
    });
  }

  #joined(): Uint8Array {
    this.#held = 0;
    return Buffer.concat(this.#waiting.splice(0));
  }

  #give(): void {
    this.#broken = true;
    this.#waiting = [];
    this.#stream.destroy();
  }
}

/** How one content coding is opened. */
export interface Coding {
  readonly open: () => Transform;
  /** Whether what begins with this byte is opened at all; absent: whatever it is. */
  readonly admits?: (first: number) => boolean;
}

/** The one of these values of `Content-Encoding`; undefined for none of them, several, or one that is not known. */
export function codingOf(values: readonly string[]): Coding | undefined {
  const [value = '', ...others] = values;
  return others.length === 0 ? CODINGS.get(value.trim().toLowerCase()) : undefined;
}

const GZIP: Coding = { open: () => createGunzip({ finishFlush: constants.Z_SYNC_FLUSH }) };
/** 8 MiB of memory, which is what an answer may ask for (RFC 9659 §3). */
const ZSTD = { [constants.ZSTD_d_windowLogMax]: 23 };
/** No more than that of brotli: its first four bits, all set, ask for 16 MiB (RFC 7932 §9.1), and zlib has no limit for it. */
const isNarrow = (first: number): boolean => (first & 15) !== 15;

/** A flush at the end instead of a finish takes what was cut off for what it holds. */
const CODINGS: ReadonlyMap<string, Coding> = new Map<string, Coding>([
  ['gzip', GZIP],
  ['x-gzip', GZIP],
  ['deflate', { open: () => createInflate({ finishFlush: constants.Z_SYNC_FLUSH }) }],
  [
    'br',
    {
      open: () => createBrotliDecompress({ finishFlush: constants.BROTLI_OPERATION_FLUSH }),
      admits: isNarrow,
    },
  ],
  ['zstd', { open: () => createZstdDecompress({ finishFlush: constants.ZSTD_e_flush, params: ZSTD }) }],
]);
