/**
 * What is read to be held is hashed at once, on the thread that serves everybody: a thousand bodies whose bytes are all
 * there would stop it for seconds. So many bytes are read a turn of the event loop, and who comes then waits for another.
 * While much waits for the disk, nothing more is read: it would pile up in memory.
 */

/** Some 1 ms of SHA-256 and SHA3-512. */
const BYTES_A_TURN = 256 * 1024;
/** What one read brings at most. */
const READ_BYTES = 64 * 1024;
const MOST_UNWRITTEN = 1024 * 1024;

/** The pace of all bodies that are held, together. */
export class ReadingPace {
  readonly #waiting: (() => void)[] = [];
  /** Below 0 where more came at once; turns to come make up for it. */
  #left = BYTES_A_TURN;
  #unwritten = 0;
  #turning = false;

  /** So many bytes were read; a promise asks their reader to wait for it before it reads on. `written`: when the disk has them. */
  take(bytes: number, written?: Promise<unknown>): Promise<undefined> | undefined {
    this.#left -= bytes;
    if (written) this.#await(written, bytes);
    this.#turn();
    if (this.#mayRead) return undefined;
    return new Promise((resolve) => this.#waiting.push(() => resolve(undefined)));
  }

  get #mayRead(): boolean {
    return this.#left > 0 && this.#unwritten < MOST_UNWRITTEN;
  }

  #await(written: Promise<unknown>, bytes: number): void {
    this.#unwritten += bytes;
    const done = (): void => {
      this.#unwritten -= bytes;
      this.#turn();
    };
    written.then(done, done);
  }

  #turn(): void {
    if (this.#turning) return;
    this.#turning = true;
    setImmediate(() => {
      this.#turning = false;
      this.#left = Math.min(this.#left + BYTES_A_TURN, BYTES_A_TURN);
      if (this.#mayRead) for (let left = this.#left; left > 0; left -= READ_BYTES) this.#waiting.shift()?.();
      const isWaiting = this.#waiting.length > 0 && this.#unwritten < MOST_UNWRITTEN; // else the disk calls
      if (this.#left < BYTES_A_TURN || isWaiting) this.#turn();
    });
  }
}
