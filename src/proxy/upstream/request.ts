/** One request on its way up, and who hears of its answer: the same whatever protocol the upstream speaks. */
import { Readable } from 'node:stream';
import type { Header } from '../../call/call.ts';
import type { Passage } from '../../gate/outside.ts';
import type { AgentExchange } from '../agent/exchange.ts';

/** How long an upstream may be silent, in milliseconds; 0 waits for ever. */
export interface UpstreamTimeouts {
  /** From the request's end to the response's head. */
  readonly headMs: number;
  /** Within the response's body. */
  readonly idleMs: number;
}

/** A permitted call as it is to be sent: its own bytes, and framing that the transport writes. */
export interface UpstreamRequest extends UpstreamTimeouts {
  readonly scheme: 'http' | 'https';
  readonly method: string;
  /** Path and query. */
  readonly target: string;
  /** `host` first; without framing. */
  readonly headers: readonly Header[];
  readonly body: Readable | Uint8Array | undefined;
  /** Declared length of a body that streams; undefined where only its end tells. */
  readonly length: number | undefined;
  /** What follows the body; asked after its end, on transports that carry trailers. */
  trailers(): readonly Header[];
}

/** Holds back or ends what flows towards a handler. */
export interface Flow {
  pause(): void;
  resume(): void;
}

/** Who hears of one request. After `failed` or `ended` nothing further is said. */
export interface ResponseHandler {
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

/** What the call itself does not say. */
interface Sending extends UpstreamTimeouts {
  /** The stream of a body that was not read yet. */
  readonly body: Readable | undefined;
  trailers(): readonly Header[];
}

/** The request of a passage. */
export function requestOf(
  { call, body: bound }: Passage<AgentExchange>,
  { body, ...sending }: Sending,
): UpstreamRequest {
  const held = bound?.open();
  if (held instanceof Readable) held.on('error', () => undefined); // the transport hears it too
  const declared = call.framing.kind === 'length' ? call.framing.bytes : undefined;
  return {
    scheme: call.scheme,
    method: call.method,
    target: call.query === null ? call.path : `${call.path}?${call.query}`,
    headers: call.headers,
    body: body ?? held,
    length: body ? declared : held instanceof Readable ? bound?.length : undefined,
    ...sending,
  };
}
