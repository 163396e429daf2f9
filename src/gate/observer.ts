/** Who watches the gate: metrics, the live list of `writ dev`, the operator's log. Never part of a decision. */
import type { Carrier } from '../call/call.ts';
import type { DenialCode } from '../denial/table.ts';
import type { Ended } from './outside.ts';

/** One decision, as it was answered. `host`, `method` and `path` are attacker-controlled text. */
export interface Decided {
  readonly id: string;
  readonly carrier: Carrier;
  readonly method: string;
  /** Absent where the target could not be read. */
  readonly host?: string;
  /** Absent also where `lineage.path` keeps paths off the record. */
  readonly path?: string;
  readonly verdict: 'permit' | 'deny';
  readonly code?: DenialCode;
  readonly reasons: readonly string[];
  /** For the operator only: why it was refused. */
  readonly detail?: string;
  /** Log position; absent for a denial that was signed and not recorded. */
  readonly seq?: number;
  /** Milliseconds from the head to the durable decision. */
  readonly ms: number;
}

/** How a permitted call ended. */
export interface Finished extends Ended {
  readonly id: string;
  readonly carrier: Carrier;
  readonly host: string;
  readonly permit: number;
}

/** A CONNECT that was opened to be read; the calls inside are told of one by one. */
export interface Tunnelled {
  readonly id: string;
  readonly host: string;
  readonly port: number;
  readonly seq: number;
}

/** TLS with an agent that did not come about, or that the agent left at once. */
export interface Handshake {
  readonly host: string;
  /** `untrusted`, `unused`: it does not, or may not, trust our certificate authority. */
  readonly cause: 'untrusted' | 'unused' | 'failed';
  readonly detail: string;
  /** `User-Agent` of its CONNECT: the agent's own words. */
  readonly client?: string | undefined;
}

/** Hears of every call. An observer that throws is a fault of the program. */
export interface Observer {
  decided(event: Decided): void;
  finished(event: Finished): void;
  tunnelled(event: Tunnelled): void;
  handshake(event: Handshake): void;
  /** Bytes that were not HTTP: answered 400 or 431. */
  malformed(event: { readonly carrier: Carrier; readonly status: number; readonly why: string }): void;
  /** A connection, handshake or stream over a limit, given up before there was a call. */
  shed(event: { readonly carrier: Carrier; readonly what: 'connection' | 'handshake' | 'stream' }): void;
  /** A denial that was counted instead of recorded. */
  aggregated(code: DenialCode): void;
}
