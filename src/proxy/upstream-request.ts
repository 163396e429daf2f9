/** A permitted call as it is to be sent: the call's own bytes. */
import { Readable } from 'node:stream';
import type { Header } from '../call/call.ts';
import type { Passage } from '../gate/outside.ts';
import type { Outgoing } from './errand.ts';
import type { AgentExchange } from './exchange.ts';

/** How long an upstream may be silent, in milliseconds; 0 waits for ever. */
export interface Patience {
  readonly headMs: number;
  readonly idleMs: number;
}

/** What the call itself does not say. */
interface Sending extends Patience {
  /** The stream of a body that was not read yet. */
  readonly body: Readable | undefined;
  trailers(): readonly Header[];
}

/** The request of a passage. */
export function requestOf(
  { call, body: bound }: Passage<AgentExchange>,
  { body, ...sending }: Sending,
): Outgoing {
  const held = bound?.open();
  if (held instanceof Readable) held.on('error', () => undefined); // the lane hears it too
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
