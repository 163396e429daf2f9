/** What is new with every call: ids and salt, from randomness and time that are arguments. */
import { v7 } from 'uuid';
import { toHex } from '../crypto/bytes.ts';
import type { TraceIds } from './trace.ts';

/** Identity of one call. */
export interface Fresh extends TraceIds {
  /** UUIDv7 (RFC 9562 §5.7). */
  readonly id: string;
  /** 16 random bytes. */
  readonly salt: Uint8Array;
}

/** Fresh values for one call at `now` (milliseconds), from `random(n)`: n bytes of a cryptographic generator. */
export function freshCall(now: number, random: (count: number) => Uint8Array): Fresh {
  const bytes = random(56);
  return {
    id: v7({ msecs: now, random: bytes.subarray(0, 16) }),
    salt: Uint8Array.from(bytes.subarray(16, 32)),
    traceId: toHex(bytes.subarray(32, 48)),
    spanId: toHex(bytes.subarray(48, 56)),
  };
}
