/** A body that is read whole before its first byte leaves: in memory, and past a limit in a file without a name. */
import { createHash } from 'node:crypto';
import type { Hash } from 'node:crypto';
import { Readable } from 'node:stream';
import { deny } from '../denial/outcome.ts';
import type { Refusal } from '../denial/outcome.ts';
import type { Holding, SharedRoom } from './shared-room.ts';

/** A body that was read to its end. */
export interface HeldBody {
  readonly length: number;
  /** Lower-case hex. */
  readonly sha256: string;
  readonly sha3_512: string;
  /** Undefined where it lies on disk, or was let go of. */
  readonly bytes: Uint8Array | undefined;
  /** The body from its first byte: a small one as bytes, others as a stream, at whose end they are let go of. */
  open(): Uint8Array | Readable;
  /** Lets go of memory and disk. Nothing may be opened after it; what is being read from disk breaks off, and never ends. */
  release(): void;
}

/** Where bodies lie on disk. */
export interface Spool {
  /** A new file, or undefined where there is none to be had. Never rejects. */
  open(): Promise<SpooledFile | undefined>;
}

/** One file that has no name any more: it is gone when it is released, or when the process ends. */
export interface SpooledFile {
  /** Writes at the end; false where the disk takes no more. Never rejects. */
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

/** Where bodies are held, and how fast they are read. */
export interface Shelf {
  readonly memory: SharedRoom;
  readonly disk: SharedRoom;
  readonly spool: Spool;
  /** Hears of each piece of an agent, and may ask its reader to wait. `written`: when the disk has it, where it goes there. */
  pace(agent: string, bytes: number, written?: Promise<unknown>): Promise<undefined> | undefined;
}

const FIRST_BYTES = 1024;
/** What is sent at a time, and the most that is sent at once: whoever sends bytes at once keeps them until the answer. */
const SENT_BYTES = 64 * 1024;
const NO_ROOM_ON_DISK = deny('content_too_large', 'no room on disk for the body');
const NOTHING = new Uint8Array(0);

/** Takes a body piece by piece. */
export class Holder implements Holding {
  readonly agent: string;
  /** Resolves if the body had to make room for another one. */
  readonly lost: Promise<Refusal>;
  readonly #limits: HoldLimits;
  readonly #shelf: Shelf;
  #length = 0;
  /** What is in memory, and room to grow: small pieces would cost more than what they hold. */
  #block: Uint8Array<ArrayBuffer> = NOTHING;
  #filled = 0;
  #file: SpooledFile | undefined;
  /** Bytes that are on disk, or on their way there. */
  #spooled = 0;
  #released = false;
  #whole = false;
  #lose: (refusal: Refusal) => void = () => undefined;
  readonly #sha256: Hash = createHash('sha256');
  readonly #sha3: Hash = createHash('sha3-512');

  constructor(agent: string, limits: HoldLimits, shelf: Shelf) {
    this.agent = agent;
    this.#limits = limits;
    this.#shelf = shelf;
    this.lost = new Promise((resolve) => (this.#lose = resolve));
  }

  /** Takes the next piece; a refusal where there is no more room. A promise asks to wait for it. */
  keep(piece: Uint8Array): Refusal | undefined | Promise<Refusal | undefined> {
    const { memory, spooled, over } = this.#limits;
    this.#length += piece.length;
    if (this.#released || this.#length > Math.max(memory, spooled)) return over;
    this.#sha256.update(piece);
    this.#sha3.update(piece);
    if (!this.#file && this.#length <= memory && this.#grow()) {
      this.#block.set(piece, this.#filled);
      this.#filled += piece.length;
      return this.#shelf.pace(this.agent, piece.length);
    }
    if (this.#length <= spooled) return this.#write(piece);
    return deny('content_too_large', 'no room in memory for the body');
  }

  /** The whole body. It may still be lost. */
  finish(): HeldBody {
    this.#whole = true;
    for (const room of this.#rooms) room.finish(this);
    const file = this.#file;
    this.#swap(this.#block.slice(0, this.#filled));
    const bytes = (): Uint8Array | undefined => (file || this.#released ? undefined : this.#block);
    return {
      length: this.#length,
      sha256: this.#sha256.digest('hex'),
      sha3_512: this.#sha3.digest('hex'),
      get bytes() {
        return bytes();
      },
      open: () => this.#open(),
      release: () => this.release(),
    };
  }

  giveUp(): void {
    this.release();
    const code = this.#whole ? 'content_too_large' : 'content_timeout';
    this.#lose(deny(code, 'it made room for another body'));
  }

  /** Gives up what was read so far. */
  release(): void {
    this.#released = true;
    this.#swap(NOTHING);
    this.#filled = 0;
    this.#shelf.disk.give(this.#spooled, this);
    this.#spooled = 0;
    for (const room of this.#rooms) room.forget(this);
    this.#file?.release();
    this.#file = undefined;
  }

  get #rooms(): readonly SharedRoom[] {
    return [this.#shelf.memory, this.#shelf.disk];
  }

  /** Where it fails, it is done again once the call is over. */
  #releaseEarly(): void {
    try {
      this.release();
    } catch {
      // nobody could be told here
    }
  }

  #open(): Uint8Array | Readable {
    if (this.#released) throw new Error('a body that was let go of cannot be sent');
    if (this.#file) return this.#file.read().once('end', () => this.#releaseEarly());
    if (this.#length <= SENT_BYTES) return this.#block;
    return Readable.from(this.#pieces(this.#block), { objectMode: false, highWaterMark: SENT_BYTES });
  }

  /** Copies, because one that waits to be written would keep the whole block. Each is asked for once there is room for it. */
  *#pieces(block: Uint8Array): Generator<Uint8Array, void> {
    for (let at = 0; at < block.length; at += SENT_BYTES) yield block.slice(at, at + SENT_BYTES);
    this.release();
  }

  /** Whether memory has room for the length so far; doubled, so that each byte is moved once or twice. The old block is freed at once. */
  #grow(): boolean {
    const { memory, spooled } = this.#limits;
    if (this.#length <= this.#block.length) return true;
    const size = Math.min(Math.max(2 * this.#length, FIRST_BYTES), Math.max(memory, this.#length));
    const room = this.#shelf.memory;
    const more = size - this.#block.length;
    const hasRoom = spooled < this.#length ? room.take(more, this) : room.takeSpare(more, this);
    if (!hasRoom) return false;
    const { buffer } = this.#block;
    this.#block = this.#block === NOTHING ? new Uint8Array(size) : new Uint8Array(buffer.transfer(size));
    return true;
  }

  /** Memory that was taken for the one is kept for the other, which is smaller. */
  #swap(block: Uint8Array<ArrayBuffer>): void {
    this.#shelf.memory.give(this.#block.length - block.length, this);
    this.#block = block;
  }

  async #write(piece: Uint8Array): Promise<Refusal | undefined> {
    const written = this.#spill(piece);
    const pause = this.#shelf.pace(this.agent, piece.length, written);
    const refusal = await written;
    return refusal ?? pause;
  }

  /** What is being written is in memory still: that is given back behind it. */
  async #spill(piece: Uint8Array): Promise<Refusal | undefined> {
    const held = this.#block.subarray(0, this.#filled);
    if (!this.#shelf.disk.take(this.#length - this.#spooled, this)) return NO_ROOM_ON_DISK;
    this.#spooled = this.#length;
    this.#file ??= await this.#shelf.spool.open();
    const file = this.#file;
    const begun = file && (held.length === 0 || (await file.write(held)));
    const written = begun && (await file.write(piece));
    this.#swap(NOTHING);
    if (held.length > 0) held.buffer.transfer(0); // frees it now
    this.#shelf.memory.forget(this);
    this.#filled = 0;
    if (this.#released) file?.release(); // given up while its file was opened
    if (this.#released) return this.#limits.over;
    return written ? undefined : NO_ROOM_ON_DISK;
  }
}
