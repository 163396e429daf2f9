/** The gate as a listener sees it. */
import type { RawHead } from '../../call/call.ts';
import type { TunnelMouth } from '../../gate/outside.ts';
import type { ConnectionContext } from './connection-context.ts';
import type { AgentExchange } from './exchange.ts';

/** One head, as it arrives. */
export interface Arriving extends ConnectionContext {
  readonly head: RawHead;
  readonly exchange: AgentExchange;
  /** Of a CONNECT. */
  readonly mouth?: TunnelMouth;
}

/** Decides calls. */
export interface CallHandler {
  /** Takes one call from its head to its last byte. Where it rejects, its connection is to be closed. */
  run(arrival: Arriving): Promise<void>;
}
