/**
 * What is read to be held is hashed at once, on the thread that serves everybody: a thousand bodies whose bytes are all
 * there would stop it for seconds. One read is taken a turn of the event loop, of each agent in its turn, and while much
 * waits for the disk, none: it would pile up in memory.
 */

/** What one read brings at most: some 0.5 ms of SHA-256 and SHA3-512. */
const BYTES_A_TURN = 64 * 1024;
const MOST_UNWRITTEN = 1024 * 1024;

/** The pace of all bodies that are held, together. */
export class ReadingPace {
  /** Those who wait, by agent; whose turn is next comes first. */
  readonly #waiting = new Map<string, (() => void)[]>();
  /** Below 0 where more came at once; turns to come make up for it. */
  #left = BYTES_A_TURN;
  #unwritten = 0;
  #turning = false;

  /** So many bytes were read of that agent; resolves when its reader may read on. `written`: when the disk has them. */
  take(agent: string, bytes: number, written?: Promise<unknown>): Promise<undefined> | undefined {
    this.#left -= bytes;
    if (written) this.#await(written, bytes);
    this.#turn();
    if (this.#mayRead) return undefined;
    return new Promise((resolve) => {
      const own = this.#waiting.get(agent) ?? [];
      this.#waiting.set(agent, own);
      own.push(() => resolve(undefined));
    });
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
      if (this.#mayRead) this.#next();
      const isWaiting = this.#waiting.size > 0 && this.#unwritten < MOST_UNWRITTEN; // else the disk calls
      if (this.#left < BYTES_A_TURN || isWaiting) this.#turn();
    });
  }

  #next(): void {
    for (const [agent, own] of this.#waiting) {
      own.shift()?.();
      this.#waiting.delete(agent);
      if (own.length > 0) this.#waiting.set(agent, own); // behind the others
      return;
    }
  }
}
