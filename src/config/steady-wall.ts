/** Wall time that is never set back while the process runs: else an expired grant would come to life again. */

/** The machine's wall clock, held to its monotonic one. */
export class SteadyWall {
  readonly #wall: () => number;
  readonly #monotonic: () => number;
  #anchor: { readonly wall: number; readonly monotonic: number };

  /** Both in milliseconds: the first since 1970, the second since any moment. */
  constructor(wall: () => number, monotonic: () => number) {
    this.#wall = wall;
    this.#monotonic = monotonic;
    this.#anchor = { wall: wall(), monotonic: monotonic() };
  }

  /** Milliseconds since 1970: what the machine says, or where it was set back, what it would say had it not been. */
  now(): number {
    const [wall, steady] = [this.#wall(), this.#steady()];
    if (wall < steady) return Math.floor(steady);
    this.#anchor = { wall, monotonic: this.#monotonic() };
    return wall;
  }

  /** By how many milliseconds the machine's clock is behind `now`. */
  behind(): number {
    return Math.max(0, this.#steady() - this.#wall());
  }

  #steady(): number {
    return this.#anchor.wall + (this.#monotonic() - this.#anchor.monotonic);
  }
}
