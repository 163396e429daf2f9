/** Time, randomness and limits of the real machine, for those who take them as arguments. */
import { randomFillSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { v7 } from 'uuid';
import { SteadyWall } from './steady-wall.ts';

const steady = new SteadyWall(
  () => Date.now(),
  () => performance.now(),
);

/** A timer for longer would fire at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** Wall time for what is signed, never set back; monotonic time for what is measured; both in milliseconds. */
export const systemClock = {
  wall: (): number => steady.now(),
  /** By how many milliseconds the machine's own clock was set back since this process began. */
  behind: (): number => steady.behind(),
  monotonic: (): number => performance.now(),
  /** Calls back once, what is overdue soon; the answer cancels it. Never keeps the process alive. */
  after(milliseconds: number, then: () => void): () => void {
    if (milliseconds > MAX_TIMER_MS) {
      let cancel = systemClock.after(MAX_TIMER_MS, () => {
        cancel = systemClock.after(milliseconds - MAX_TIMER_MS, then);
      });
      return () => cancel();
    }
    const timer = setTimeout(then, Math.max(0, milliseconds)).unref();
    return () => clearTimeout(timer);
  },
};

const POOL_BYTES = 8192;
const ID_BYTES = 16;
const SALT_BYTES = 16;
const pool = new Uint8Array(POOL_BYTES);
let used = POOL_BYTES;

/** A fresh identity: a UUIDv7 and 16 random bytes. */
export function systemFresh(): { readonly id: string; readonly salt: Uint8Array } {
  return { id: v7({ random: randomBytes(ID_BYTES) }), salt: randomBytes(SALT_BYTES) };
}

/** Cut from a pool: a system call for every few bytes would cost more than all the hashing of a call. */
function randomBytes(count: number): Uint8Array {
  if (used + count > POOL_BYTES) {
    randomFillSync(pool);
    used = 0;
  }
  used += count;
  return pool.slice(used - count, used);
}

/** How many descriptors this process may hold, as Linux tells (proc(5)); infinite where the system does not say. */
export function descriptorLimit(): number {
  try {
    return Number(
      /^Max open files +(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1'))?.[1] ?? Infinity,
    );
  } catch {
    return Infinity; // not Linux, or hidden from us
  }
}
