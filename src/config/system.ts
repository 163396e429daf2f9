/** Time and randomness of the real machine, for those who take them as arguments. */
import { randomFillSync } from 'node:crypto';

/** Wall time for what is signed, monotonic time for what is measured, both in milliseconds. */
export const systemClock = {
  wall: (): number => Date.now(),
  monotonic: (): number => performance.now(),
  /** Calls back once; the answer cancels it. Never keeps the process alive. */
  after(milliseconds: number, then: () => void): () => void {
    const timer = setTimeout(then, milliseconds).unref();
    return () => clearTimeout(timer);
  },
};

const POOL_BYTES = 8192;
const pool = new Uint8Array(POOL_BYTES);
let used = POOL_BYTES;

/** At most 8192 cryptographically random bytes, cut from a pool: a system call for each would cost more than a hash. */
export function systemRandom(count: number): Uint8Array {
  if (used + count > POOL_BYTES) {
    randomFillSync(pool);
    used = 0;
  }
  used += count;
  return pool.slice(used - count, used);
}
