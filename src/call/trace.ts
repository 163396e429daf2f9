/** `traceparent` (W3C Trace Context, level 1 §3.2): the agent's trace goes on, under a parent id of ours. */
import type { HeaderSection } from './headers.ts';

/** The traceparent to forward. */
export interface Trace {
  readonly parent: string;
  /** Whether it goes on from the agent's: only then may its `tracestate` pass (§3.3.1). */
  readonly continued: boolean;
}

/** Version 00 has nothing after the flags; of a later one only what 00 knows is read (§4.3). */
const TRACEPARENT = /^(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-([0-9a-f]{2})(-.*)?$/;
const SAMPLED = 0x01;

/**
 * The trace of a call (`id`: its UUIDv7): the agent's trace id and sampled flag where it sent exactly one valid
 * traceparent, else the call's id as a fresh one. The new parent id is the random half of the call's id.
 */
export function readTrace({ values }: HeaderSection, id: string): Trace {
  const traceId = id.replaceAll('-', '');
  const spanId = traceId.slice(16);
  const sent = values.get('traceparent') ?? [];
  const [, version, theirs, flags = '', rest] = TRACEPARENT.exec(sent[0] ?? '') ?? [];
  if (sent.length !== 1 || theirs === undefined || (version === '00' && rest !== undefined))
    return { parent: `00-${traceId}-${spanId}-00`, continued: false };
  const sampled = Number.parseInt(flags, 16) & SAMPLED;
  return { parent: `00-${theirs}-${spanId}-0${sampled}`, continued: true };
}
