/** Time and randomness of the real machine, for those who take them as arguments. */
import { randomFillSync } from 'node:crypto';
import { v7 } from 'uuid';

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
const SALT_BYTES = 16;
const pool = new Uint8Array(POOL_BYTES);
let used = POOL_BYTES;

/** A fresh identity: a UUIDv7 and 16 random bytes, cut from a pool, since a system call each would cost too much. */
export function systemFresh(): { readonly id: string; readonly salt: Uint8Array } {
  if (used === POOL_BYTES) {
    randomFillSync(pool);
    used = 0;
  }
  used += SALT_BYTES;
  return { id: v7(), salt: pool.slice(used - SALT_BYTES, used) };
}
