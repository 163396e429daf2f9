/** What the gate needs of the outside world; `proxy/` and `main` implement it. */
import type { Call, Credential } from '../call/call.ts';
import type { Outcome, Refusal } from '../denial/outcome.ts';
import type { KeptInput } from '../lineage/inputs.ts';
import type { OutcomePredicate } from '../lineage/statement.ts';
import type { HeldBody } from './held-body.ts';
import type { Lease } from './lease.ts';
import type { Denial } from './denial.ts';

/** Wall time for what is signed, monotonic time for what is measured. Both in milliseconds. */
export interface Clock {
  wall(): number;
  monotonic(): number;
  /** Calls back once after so many milliseconds; the answer cancels it. Never keeps the process alive. */
  after(milliseconds: number, then: () => void): () => void;
}

/** Identity of one call or entry. */
export interface Fresh {
  /** UUIDv7, lower case (RFC 9562 §5.7). */
  readonly id: string;
  /** 16 random bytes. */
  readonly salt: Uint8Array;
}

/** Keeps what policies were asked, for replay. Returns at once and never throws: no call waits for it. */
export interface Inputs {
  keep(seq: number, kept: KeptInput): void;
}

/** One vetted address, in canonical spelling. */
export interface Address {
  readonly address: string;
  readonly family: 4 | 6;
  readonly port: number;
}

/** Resolves once, for an agent, and vets every answer (threats.md §3): one bad answer denies all. Never rejects. */
export interface Resolver {
  vet(call: Call, agent: string): Promise<Outcome<readonly Address[]>>;
}

/** Takes one piece of a body, or refuses it; a promise asks to wait for it before the next. Never rejects. */
export type KeepPiece = (piece: Uint8Array) => Refusal | undefined | Promise<Refusal | undefined>;

/** The agent's end of one call: a request body to read, and one reply to write. */
export interface Exchange {
  /**
   * Reads the whole body, each piece handed to `keep`; what that refuses ends the reading. `scope_content` where the
   * body breaks off. Never rejects.
   */
  readBody(keep: KeepPiece): Promise<Outcome<undefined>>;
  /** Answers 403 with this denial, on a connection that then closes safely if a body was left unread. */
  refuse(denial: Denial): void;
  /** Closes the connection without an answer (floods of denials, threats.md §5). */
  drop(): void;
  /** Whether the agent's side has gone away. */
  readonly gone: boolean;
}

/** A permitted call on its way. */
export interface Passage<E extends Exchange> {
  readonly call: Call;
  readonly exchange: E;
  /** The vetted addresses, in order: only these may be dialled. */
  readonly addresses: readonly Address[];
  readonly lease: Lease;
  /** `iss`, `sub`: upstream sockets are never shared across agents. */
  readonly agent: string;
  /** The body, where it had to be read before. */
  readonly body?: HeldBody;
  /** `seq` of the permit. */
  readonly permit: number;
}

/** The agent's end of a CONNECT, before anything was answered. */
export interface TunnelMouth {
  /**
   * Answers 200 and opens the TLS that comes: each request inside arrives at the gate by itself. Resolves once it is
   * open or the agent has left (`left`: nothing to record), or with why it was closed. Never rejects.
   */
  open(to: {
    readonly host: string;
    readonly port: number;
    readonly credential: Credential | undefined;
  }): Promise<Outcome<'open' | 'left'>>;
  /** Dials, answers 200 and carries what nobody here reads; under its lease as `Upstream.execute`. */
  splice(passage: Passage<Exchange>): Promise<Ended>;
}

/** How a passage ended. `answered`: whether a response head reached the agent. */
export interface Ended extends Omit<OutcomePredicate, 'permit'> {
  readonly answered: boolean;
  /** Why the upstream failed: for the operator's log only. */
  readonly why?: string;
}

/**
 * Forwards permitted calls. Never rejects. Checks `lease.alive` in the last synchronous step before dialling or before
 * the first byte on a pooled socket; reports each body byte to the lease; on the lease's end cuts both sides in a
 * protocol-correct way. A failed upstream is answered with 502/504 by itself; a cut before the response head leaves the
 * exchange unanswered (`answered: false`), and the gate refuses it.
 */
export interface Upstream<E extends Exchange> {
  execute(passage: Passage<E>): Promise<Ended>;
}
