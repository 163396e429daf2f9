/**
 * Nobody can fill the disk with denials (threats.md §5): recorded denials are rate-limited, for strangers together and
 * per holder. Above the limit a denial is signed and counted; far above it the connection just closes.
 */
import { LRUCache } from 'lru-cache';
import type { DenialCode } from '../denial/table.ts';

/** How many denials are recorded one by one. */
export interface RecordingRate {
  /** At once. */
  readonly burst: number;
  /** Then so many a second. */
  readonly perSecond: number;
}

/** What to do with one denial. */
export type Recording = 'record' | 'aggregate' | 'drop';

interface Bucket {
  tokens: number;
  /** Monotonic milliseconds. */
  filled: number;
}

const HOLDERS = 10_000;
/** A signature costs about as much as a forwarded call: beyond so many bursts below zero nothing is signed either. */
const DROP_BURSTS = 10;
const STRANGERS = ' strangers';

/** A token bucket a holder, and the counts of what was not recorded. */
export class RecordingLimit {
  readonly #buckets = new LRUCache<string, Bucket>({ max: HOLDERS });
  readonly #rate: RecordingRate;
  readonly #counts = new Map<string, number>();

  constructor(rate: RecordingRate) {
    this.#rate = rate;
  }

  /** Decides for one denial. `holder` is `iss` and `sub`; undefined for calls without a valid grant. */
  admit(holder: string | undefined, code: DenialCode, now: number): Recording {
    const { burst, perSecond } = this.#rate;
    const key = holder ?? STRANGERS;
    const bucket = this.#buckets.get(key) ?? { tokens: burst, filled: now };
    bucket.tokens = Math.min(burst, bucket.tokens + ((now - bucket.filled) / 1000) * perSecond);
    bucket.filled = now;
    this.#buckets.set(key, bucket);
    const verdict =
      bucket.tokens >= 1 ? 'record' : bucket.tokens > -DROP_BURSTS * burst ? 'aggregate' : 'drop';
    if (verdict !== 'drop') bucket.tokens -= 1;
    if (verdict !== 'record') this.count(code);
    return verdict;
  }

  /** Only counts: bytes that were not HTTP. */
  count(code: string): void {
    this.#counts.set(code, (this.#counts.get(code) ?? 0) + 1);
  }

  /** What was counted and is not on record yet, sorted by code; undefined where nothing was. */
  get counts(): Readonly<Record<string, number>> | undefined {
    if (this.#counts.size === 0) return undefined;
    return Object.fromEntries([...this.#counts].sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  /** These are on record now; what was counted meanwhile is still to come. */
  recorded(counts: Readonly<Record<string, number>>): void {
    for (const [code, count] of Object.entries(counts)) {
      const left = (this.#counts.get(code) ?? 0) - count;
      if (left > 0) this.#counts.set(code, left);
      else this.#counts.delete(code);
    }
  }
}
