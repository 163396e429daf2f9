/** The right of a running call to go on; cut when its reason ends (design.md §1, step 4). */
import type { Call } from '../call/call.ts';
import { deny, pass } from '../denial/outcome.ts';
import type { Outcome } from '../denial/outcome.ts';
import type { DenialCode } from '../denial/table.ts';
import type { ScopeEntry } from '../grant/grant.ts';
import type { Obligation } from '../policy/decision.ts';
import type { Clock } from './outside.ts';

/** What ends a lease by itself. Absent: no such limit. */
export interface Limits {
  /** Wall clock, milliseconds since 1970: the grant's `exp`. */
  readonly expires?: number;
  /** From the limit being set. */
  readonly seconds?: number | undefined;
  readonly requestBytes?: number | undefined;
  readonly responseBytes?: number | undefined;
}

/** A lease as the proxy sees it. */
export interface Lease {
  readonly alive: boolean;
  /** Why it ended; undefined while it lives. */
  readonly ended: DenialCode | undefined;
  /** Counts body bytes before they are passed on; ends the lease past its limit. */
  countRequest(bytes: number): void;
  countResponse(bytes: number): void;
  /** Whether a response body of this declared length can fit. */
  admitsResponse(bytes: number): boolean;
  /** Calls back once, at once where it has ended already. */
  onEnd(listener: (code: DenialCode) => void): void;
}

/** One lease as the gate holds it. Limits can only be narrowed. */
export class HeldLease implements Lease {
  /** Whose authority it rests on (`pairName`), so that withdrawn trust can end it. */
  readonly authority: string;
  readonly #clock: Clock;
  readonly #forget: (lease: HeldLease) => void;
  #ended: DenialCode | undefined;
  #closed = false;
  #expires = Infinity;
  #listeners: ((code: DenialCode) => void)[] = [];
  #timers: (() => void)[] = [];
  #requestLeft = Infinity;
  #responseLeft = Infinity;

  constructor(given: { authority: string; clock: Clock; forget: (lease: HeldLease) => void }) {
    this.authority = given.authority;
    this.#clock = given.clock;
    this.#forget = given.forget;
  }

  get alive(): boolean {
    return this.ended === undefined;
  }

  /** Asks the clock as well: its timer comes late where the event loop stood still, the machine slept or time was set. */
  get ended(): DenialCode | undefined {
    if (this.#clock.wall() >= this.#expires) this.end('lease_expired');
    return this.#ended;
  }

  /** Narrows the lease. */
  limit(limits: Limits): void {
    if (limits.expires !== undefined) this.#expireAt(limits.expires);
    if (limits.seconds !== undefined) this.#endAfter(limits.seconds * 1000, 'lease_seconds');
    this.#requestLeft = Math.min(this.#requestLeft, limits.requestBytes ?? Infinity);
    this.#responseLeft = Math.min(this.#responseLeft, limits.responseBytes ?? Infinity);
  }

  /** Whether a request body of this declared length can fit. */
  admits(requestBytes: number): boolean {
    return requestBytes <= this.#requestLeft;
  }

  admitsResponse(bytes: number): boolean {
    return bytes <= this.#responseLeft;
  }

  countRequest(bytes: number): void {
    this.#requestLeft -= bytes;
    if (this.#requestLeft < 0) this.end('lease_request_bytes');
  }

  countResponse(bytes: number): void {
    this.#responseLeft -= bytes;
    if (this.#responseLeft < 0) this.end('lease_response_bytes');
  }

  onEnd(listener: (code: DenialCode) => void): void {
    const ended = this.ended;
    if (ended) listener(ended);
    else this.#listeners.push(listener);
  }

  /** Ends the lease and tells whoever runs under it. The first reason stands. */
  end(code: DenialCode): void {
    if (this.#ended || this.#closed) return;
    this.#ended = code;
    const listeners = this.#listeners;
    this.close();
    for (const listener of listeners) listener(code);
  }

  /** The call is over: timers go, nobody is told. */
  close(): void {
    this.#closed = true;
    for (const cancel of this.#timers) cancel();
    this.#timers = [];
    this.#listeners = [];
    this.#forget(this);
  }

  #expireAt(expires: number): void {
    this.#expires = Math.min(this.#expires, expires);
    if (this.alive) this.#endAfter(expires - this.#clock.wall(), 'lease_expired');
  }

  #endAfter(milliseconds: number, code: DenialCode): void {
    if (!this.#closed) this.#timers.push(this.#clock.after(milliseconds, () => this.end(code)));
  }
}

/** All leases that live. */
export class Leases {
  readonly #clock: Clock;
  readonly #live = new Set<HeldLease>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** How many calls run. */
  get size(): number {
    return this.#live.size;
  }

  /** A lease until the grant expires. `authority` names the pinned pair that it rests on. */
  open(authority: string, expires: number): HeldLease {
    const lease = new HeldLease({
      authority,
      clock: this.#clock,
      forget: (gone) => this.#live.delete(gone),
    });
    lease.limit({ expires });
    this.#live.add(lease); // last: one that nobody got would never be closed
    return lease;
  }

  /** Ends every lease for which the test holds. */
  endWhere(test: (lease: HeldLease) => boolean, code: DenialCode): void {
    for (const lease of [...this.#live]) if (test(lease)) lease.end(code);
  }
}

/** What limits a lease. `body` is there where it was read already. */
export interface Limiting {
  readonly call: Call;
  readonly body?: { readonly length: number } | undefined;
  readonly entry: ScopeEntry;
  readonly obligations: readonly Obligation[];
}

/** Narrows a lease to what the covering entry and the policy allow; refused where the body, as known, cannot fit. */
export function limitLease(
  lease: HeldLease,
  { call, body, entry, obligations }: Limiting,
): Outcome<HeldLease> {
  lease.limit({
    seconds: entry.max_seconds,
    requestBytes: entry.max_request_bytes,
    responseBytes: entry.max_response_bytes,
  });
  for (const { type, value } of obligations) lease.limit({ [LIMIT_OF[type]]: value });
  const declared = call.framing.kind === 'length' ? call.framing.bytes : 0;
  const known = body?.length ?? declared;
  return lease.admits(known) ? pass(lease) : deny('lease_request_bytes', `a body of ${known} bytes`);
}

const LIMIT_OF = {
  max_seconds: 'seconds',
  max_request_bytes: 'requestBytes',
  max_response_bytes: 'responseBytes',
} as const satisfies Record<Obligation['type'], keyof Limits>;
