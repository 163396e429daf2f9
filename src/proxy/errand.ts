/** One request on its way up, and who hears of its answer: the same whatever protocol the upstream speaks. */
import type { Readable } from 'node:stream';
import type { Header } from '../call/call.ts';

/** A permitted call as it is to be sent: its own bytes, and framing that the lane writes. */
export interface Outgoing {
  readonly scheme: 'http' | 'https';
  readonly method: string;
  /** Path and query. */
  readonly target: string;
  /** `host` first; without framing. */
  readonly headers: readonly Header[];
  readonly body: Readable | Uint8Array | undefined;
  /** Declared length of a body that streams; undefined where only its end tells. */
  readonly length: number | undefined;
  /** What follows the body; asked after its end, on lanes that carry trailers. */
  trailers(): readonly Header[];
  /** From the request's end to the response's head, in milliseconds. */
  readonly headMs: number;
  /** Silence within the response's body, in milliseconds; 0 waits for ever. */
  readonly idleMs: number;
}

/** Holds back or ends what flows towards an errand. */
export interface Flow {
  pause(): void;
  resume(): void;
}

/** Who hears of one request. After `failed` or `ended` nothing further is said. */
export interface Errand {
  /** Asked in the last synchronous step before dialling. */
  permitted(): boolean;
  /** The last synchronous step before the first byte; false, and none is written. */
  begin(flow: Flow): boolean;
  /** A chunk of the body was written. */
  sent(chunk: Uint8Array): void;
  /** A response head, octets as latin1 (`name, value, …`, attacker-controlled); also each 1xx. `whole`: no body follows. */
  head(status: number, raw: readonly string[], whole: boolean): void;
  data(chunk: Uint8Array): void;
  /** The response is whole; its trailers as they came. */
  ended(trailers: readonly string[]): void;
  failed(cause: Error): void;
}
