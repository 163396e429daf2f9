/** What carries one call to its upstream, whatever protocol is spoken. */
import type { Address, Ended } from '../../gate/outside.ts';
import type { DialSettings } from './dial.ts';
import type { TlsIdentity } from './tls-identity.ts';
import type { ResponseHandler, UpstreamRequest } from './request.ts';

/** What connections are for; never anything else in their life. */
export interface TransportTarget {
  /** Undefined: in the clear. */
  readonly tls: TlsIdentity | undefined;
  readonly host: string;
  readonly origin: string;
  readonly addresses: readonly Address[];
}

/** How transports behave. */
export interface TransportSettings extends DialSettings {
  /** How long an unused connection is kept, in milliseconds. */
  readonly idleMs: number;
  /** Response head, in bytes. */
  readonly maxHeadBytes: number;
}

/** Carries one request at a time. What was written is never sent again. */
export interface Transport {
  /** The address of the connection that carries the request; undefined before one was open. */
  readonly dialled: Address | undefined;
  /** Whether a body may be followed by trailers; known once the request has begun. */
  readonly carriesTrailers: boolean;
  /** Sends one request. Errors come to the handler. */
  send(request: UpstreamRequest, handler: ResponseHandler): void;
  /** The upstream has answered whole. */
  release(): void;
  /** Ends the request, or stops dialling; says why where frames can say it. */
  destroy(why?: Ended['ended']): void;
}
