/** Idle HTTP/1.1 connections that wait for their agent's next call, by key. */
import type { Http1Lane } from './http1-lane.ts';

/** How many unused connections are kept. */
export interface PoolSettings {
  readonly maxIdle: number;
  readonly maxIdlePerKey: number;
}

/** Idle lanes by key, the longest unused first to go. */
export class Pool {
  readonly #settings: PoolSettings;
  readonly #idle = new Map<string, Http1Lane[]>();
  /** All idle lanes, oldest first. */
  readonly #order = new Set<Http1Lane>();
  #closed = false;

  constructor(settings: PoolSettings) {
    this.#settings = settings;
  }

  /** How many connections wait. */
  get size(): number {
    return this.#order.size;
  }

  /** An idle lane under this key. */
  take(key: string): Http1Lane | undefined {
    for (let idle = this.#last(key); idle; idle = this.#last(key)) {
      this.#remove(idle);
      if (idle.reusable) return idle;
      idle.destroy();
    }
    return undefined;
  }

  /**
   * Takes a lane back after a call that ended well; any other lane is to be destroyed. It is not offered in the same turn
   * of the event loop: a surplus reply right behind the response was not read yet, and would answer a call that takes the
   * lane now. From the next turn on undici reads what has come before it writes.
   */
  giveBack(lane: Http1Lane): void {
    setImmediate(() => {
      if (this.#closed || !lane.reusable) lane.destroy();
      else this.#add(lane);
    });
  }

  /** Forgets a lane whose connection is gone. */
  lost(lane: Http1Lane): void {
    if (this.#order.has(lane)) this.#evict(lane);
  }

  /** Closes what waits, and what comes back from now on. */
  close(): void {
    this.#closed = true;
    for (const lane of [...this.#order]) this.#evict(lane);
  }

  #last(key: string): Http1Lane | undefined {
    return this.#idle.get(key)?.at(-1);
  }

  #add(lane: Http1Lane): void {
    const same = this.#idle.get(lane.key) ?? [];
    this.#idle.set(lane.key, same);
    same.push(lane);
    this.#order.add(lane);
    const surplus = same.length > this.#settings.maxIdlePerKey ? same[0] : this.#eldest();
    if (surplus) this.#evict(surplus);
  }

  #eldest(): Http1Lane | undefined {
    if (this.#order.size <= this.#settings.maxIdle) return undefined;
    return this.#order.values().next().value;
  }

  #evict(lane: Http1Lane): void {
    this.#remove(lane);
    lane.destroy();
  }

  #remove(lane: Http1Lane): void {
    this.#order.delete(lane);
    const same = this.#idle.get(lane.key) ?? [];
    const at = same.indexOf(lane);
    if (at >= 0) same.splice(at, 1);
    if (same.length === 0) this.#idle.delete(lane.key);
  }
}
