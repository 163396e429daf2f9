/** A way to one upstream, for one call of one agent. */
import type { Address, Ended } from '../gate/outside.ts';
import type { DialSettings } from './dial.ts';
import type { Errand, Outgoing } from './errand.ts';
import type { TlsIdentity } from './tls-identity.ts';

/** What connections are for; never anything else in their life. */
export interface LaneTarget {
  /** Undefined: in the clear. */
  readonly tls: TlsIdentity | undefined;
  readonly host: string;
  readonly origin: string;
  readonly addresses: readonly Address[];
}

/** How lanes behave. */
export interface LaneSettings extends DialSettings {
  /** How long an unused connection is kept, in milliseconds. */
  readonly idleMs: number;
  /** Response head, in bytes. */
  readonly maxHeadBytes: number;
}

/** Carries one request at a time. What was written is never sent again. */
export interface Lane {
  /** The address of the connection that carries the errand; undefined before one was open. */
  readonly dialled: Address | undefined;
  /** Whether a body may be followed by trailers; known once the errand has begun. */
  readonly carriesTrailers: boolean;
  /** Sends one request. Errors come to the errand. */
  send(request: Outgoing, errand: Errand): void;
  /** The upstream has answered whole. */
  release(): void;
  /** Ends the request, or stops dialling; says why where frames can say it. */
  destroy(why?: Ended['ended']): void;
}
