/**
 * How slowly a body may come that is no stream: it has some time from its beginning, and each byte that comes brings more.
 * Only waiting for it takes time away, so that a slow upstream is nothing that its agent has to answer for.
 */

/** What a body is allowed. */
export interface MinimumRateSettings {
  /** 0: as slowly as it likes. */
  readonly bytesPerSecond: number;
  /** What it has at its beginning, in milliseconds. */
  readonly graceMs: number;
}

/** The time that one body has left. */
export class MinimumRate {
  readonly #msEach: number;
  readonly #mostMs: number;
  #leftMs: number;
  #since: number | undefined;

  /** `mostMs`: more is never left, however much came before. */
  constructor({ bytesPerSecond, graceMs }: MinimumRateSettings, mostMs: number) {
    this.#msEach = 1000 / bytesPerSecond;
    this.#mostMs = mostMs;
    this.#leftMs = graceMs;
  }

  /** There is room for more of it from now on (monotonic milliseconds, as all times here). */
  wait(now: number): void {
    this.#since ??= now;
  }

  /** So much of it came. */
  take(bytes: number, now: number): void {
    this.#leftMs = Math.min(this.left(now) + bytes * this.#msEach, this.#mostMs);
    this.#since = undefined;
  }

  /** Milliseconds, where nothing comes until then; 0 or less: it came too slowly. */
  left(now: number): number {
    return this.#leftMs - (this.#since === undefined ? 0 : now - this.#since);
  }
}
