/** What a listener gives up when more is asked of it than it was given: counted, and never a fault. */

/**
 * `connection`: over `limits.max_connections`, the one that waited longest for its first head, else the one that was idle
 * for longest, else the new one where all have a call; over `limits.max_idle_tls`, the one in TLS that has no
 * call for longest. `handshake`: the one that waited longest for its TLS made
 * room. `stream`: refused with REFUSED_STREAM (RFC 9113 §8.7), so that its client may send it again; where
 * requests were pipelined on HTTP/1.1, their connection is closed.
 */
export type Shed = 'connection' | 'handshake' | 'stream';

/** Calls that run beside another one on the same HTTP/2 connection, or wait behind one on HTTP/1.1. The first of each is as one of HTTP/1.1: its own. */
export class StreamBudget {
  #left: number;

  /** `most`: at once, on all connections that share this. */
  constructor(most: number) {
    this.#left = most;
  }

  /** Whether one more may run beside so many on its connection. */
  take(beside: number): boolean {
    if (beside === 0) return true;
    if (this.#left === 0) return false;
    this.#left -= 1;
    return true;
  }

  /** One is over, and leaves so many on its connection. */
  leave(beside: number): void {
    if (beside > 0) this.#left += 1;
  }
}
