/** The memory of all bodies that are held, together: many that are small or slow must not take what one may not. */

/** A body that is still being read. */
export interface Unfinished {
  /** Gives up what was read so far, and with it its memory. */
  giveUp(): void;
}

/** Counts it. Where it is full, the body that has been read for longest makes room. */
export class HeldMemory {
  readonly #most: number;
  readonly #onPiece: (bytes: number) => void;
  /** Those that may have to make room, the oldest first. */
  readonly #unfinished = new Set<Unfinished>();
  #used = 0;

  /** `most`: bytes of all bodies together. `onPiece` hears of each piece that was copied, and is garbage from then on. */
  constructor(most: number, onPiece: (bytes: number) => void = () => undefined) {
    this.#most = most;
    this.#onPiece = onPiece;
  }

  /** A piece was copied. */
  copied(bytes: number): void {
    this.#onPiece(bytes);
  }

  /** Bytes that are taken now. */
  get used(): number {
    return this.#used;
  }

  /** Whether so many bytes could be had; where `urgent`, at the cost of whoever came before. */
  take(bytes: number, by: Unfinished, urgent: boolean): boolean {
    this.#unfinished.add(by);
    while (urgent && this.#used + bytes > this.#most) {
      const [oldest = by] = this.#unfinished;
      if (oldest === by) break;
      oldest.giveUp();
    }
    if (this.#used + bytes > this.#most) return false;
    this.#used += bytes;
    return true;
  }

  /** Gives bytes back. */
  give(bytes: number): void {
    this.#used -= bytes;
  }

  /** It is whole, or given up: it makes no room any more. */
  finish(by: Unfinished): void {
    this.#unfinished.delete(by);
  }
}
