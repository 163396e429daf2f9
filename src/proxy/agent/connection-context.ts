/** What is known of a connection before its first request. */
import type { Carrier } from '../../call/call.ts';
import type { Redirect } from '../../call/redirect.ts';
import type { Tunnel } from '../../call/tunnel.ts';

/** Of an agent's connection, each way; what an agent does not take stays with its origin. */
export const BUFFERED_BYTES = 16 * 1024;

/** How a connection reached us, and what it stands for. */
export interface ConnectionContext {
  readonly carrier: Carrier;
  /** Inside CONNECT. */
  readonly tunnel?: Tunnel;
  /** On the transparent port. */
  readonly redirect?: Redirect;
}
