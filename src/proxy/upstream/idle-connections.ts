/** Idle HTTP/1.1 connections that wait for their agent's next call, by key. */
import type { Http1Transport } from './http1-transport.ts';

/** How many unused connections are kept. */
export interface IdleSettings {
  readonly maxIdle: number;
  readonly maxIdlePerKey: number;
}

/** Idle transports by key, the longest unused first to go. */
export class IdleConnections {
  readonly #settings: IdleSettings;
  readonly #idle = new Map<string, Http1Transport[]>();
  /** All idle transports, oldest first. */
  readonly #order = new Set<Http1Transport>();
  #closed = false;

  constructor(settings: IdleSettings) {
    this.#settings = settings;
  }

  /** How many connections wait. */
  get size(): number {
    return this.#order.size;
  }

  /** An idle transport under this key. */
  take(key: string): Http1Transport | undefined {
    for (let idle = this.#last(key); idle; idle = this.#last(key)) {
      this.#remove(idle);
      if (idle.reusable) return idle;
      idle.destroy();
    }
    return undefined;
  }

  /**
   * Takes a transport back after a call that ended well; any other is to be destroyed. It is not offered in the same turn of
   * the event loop: a surplus reply right behind the response was not read yet, and would answer a call that takes it now.
   * From the next turn on undici reads what has come before it writes.
   */
  giveBack(transport: Http1Transport): void {
    setImmediate(() => {
      if (this.#closed || !transport.reusable) transport.destroy();
      else this.#add(transport);
    });
  }

  /** Forgets a transport whose connection is gone. */
  lost(transport: Http1Transport): void {
    if (this.#order.has(transport)) this.#evict(transport);
  }

  /** Closes what waits, and what comes back from now on. */
  close(): void {
    this.#closed = true;
    for (const transport of [...this.#order]) this.#evict(transport);
  }

  #last(key: string): Http1Transport | undefined {
    return this.#idle.get(key)?.at(-1);
  }

  #add(transport: Http1Transport): void {
    const same = this.#idle.get(transport.key) ?? [];
    this.#idle.set(transport.key, same);
    same.push(transport);
    this.#order.add(transport);
    const surplus = same.length > this.#settings.maxIdlePerKey ? same[0] : this.#eldest();
    if (surplus) this.#evict(surplus);
  }

  #eldest(): Http1Transport | undefined {
    if (this.#order.size <= this.#settings.maxIdle) return undefined;
    return this.#order.values().next().value;
  }

  #evict(transport: Http1Transport): void {
    this.#remove(transport);
    transport.destroy();
  }

  #remove(transport: Http1Transport): void {
    this.#order.delete(transport);
    const same = this.#idle.get(transport.key) ?? [];
    const at = same.indexOf(transport);
    if (at >= 0) same.splice(at, 1);
    if (same.length === 0) this.#idle.delete(transport.key);
  }
}
