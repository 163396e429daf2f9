/** A body that is read whole before its first byte leaves: in memory, and past a limit in a file without a name. */
import { createHash } from 'node:crypto';
import type { Hash } from 'node:crypto';
import type { Readable } from 'node:stream';
import { concatBytes } from '../crypto/bytes.ts';
import { deny } from '../denial/outcome.ts';
import type { Refusal } from '../denial/outcome.ts';

/** A body that was read to its end. */
export interface HeldBody {
  readonly length: number;
  /** Lower-case hex. */
  readonly sha256: string;
  readonly sha3_512: string;
  /** Absent where it lies on disk. */
  readonly bytes?: Uint8Array;
  /** The body from its first byte: as bytes, or as a stream from disk. */
  open(): Uint8Array | Readable;
  /** Lets go of the disk. Nothing may be opened after it; what is being read is read to its end. */
  release(): void;
}

/** Where bodies lie that memory is too dear for. */
export interface Spool {
  /** A new file, or undefined where there is none to be had. Never rejects. */
  open(): Promise<SpooledFile | undefined>;
}

/** One file that has no name any more: it is gone when it is released, or when the process ends. */
export interface SpooledFile {
  /** Writes at the end; false where the disk, or its share for bodies, is full. Never rejects. */
  write(bytes: Uint8Array): Promise<boolean>;
  read(): Readable;
  release(): void;
}

/** How large a body may be, in bytes, and what it is called when it is larger. */
export interface HoldLimits {
  readonly memory: number;
  /** On disk; none where it is not more than `memory`. */
  readonly spooled: number;
  readonly over: Refusal;
}

/** Takes a body piece by piece. */
export class Holder {
  readonly #limits: HoldLimits;
  readonly #spool: Spool;
  #length = 0;
  #pieces: Uint8Array[] = [];
  #file: SpooledFile | undefined;
  #released = false;
  readonly #sha256: Hash = createHash('sha256');
  readonly #sha3: Hash = createHash('sha3-512');

  constructor(limits: HoldLimits, spool: Spool) {
    this.#limits = limits;
    this.#spool = spool;
  }

  /** Takes the next piece; a refusal where there is no more room. A promise asks to wait for it. */
  keep(piece: Uint8Array): Refusal | undefined | Promise<Refusal | undefined> {
    this.#length += piece.length;
    if (this.#released || this.#length > Math.max(this.#limits.memory, this.#limits.spooled))
      return this.#limits.over;
    this.#sha256.update(piece);
    this.#sha3.update(piece);
    this.#pieces.push(piece);
    return this.#length > this.#limits.memory ? this.#spill() : undefined;
  }

  /** The whole body. */
  finish(): HeldBody {
    const file = this.#file;
    const bytes = concatBytes(...this.#pieces);
    return {
      length: this.#length,
      sha256: this.#sha256.digest('hex'),
      sha3_512: this.#sha3.digest('hex'),
      ...(file ? {} : { bytes }),
      open: () => file?.read() ?? bytes,
      release: () => this.release(),
    };
  }

  /** Gives up what was read so far. */
  release(): void {
    this.#released = true;
    this.#pieces = [];
    this.#file?.release();
    this.#file = undefined;
  }

  async #spill(): Promise<Refusal | undefined> {
    const bytes = concatBytes(...this.#pieces.splice(0));
    this.#file ??= await this.#spool.open();
    const file = this.#file;
    const written = (await file?.write(bytes)) ?? false;
    if (this.#released) file?.release(); // given up while its file was opened
    if (this.#released) return this.#limits.over;
    return written ? undefined : deny('content_too_large', 'no room on disk for the body');
  }
}
