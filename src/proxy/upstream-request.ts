/** A permitted call as undici is to send it: the call's own bytes, and framing of ours. */
import { Readable } from 'node:stream';
import type { Dispatcher } from 'undici';
import type { AgentExchange } from './exchange.ts';
import type { Passage } from '../gate/outside.ts';

/** Method, target, headers and body; `body` is the stream of one that was not read yet. */
export function requestOf(
  { call, body: bound }: Passage<AgentExchange>,
  body: Readable | undefined,
): Dispatcher.DispatchOptions {
  const headers: string[] = [];
  for (const [name, value] of call.headers) headers.push(name, value);
  if (body && call.framing.kind === 'length') headers.push('content-length', String(call.framing.bytes));
  const held = bound?.open();
  if (held instanceof Readable) {
    headers.push('content-length', String(bound?.length));
    held.on('error', () => undefined); // undici hears it too
  }
  return {
    method: call.method,
    path: call.query === null ? call.path : `${call.path}?${call.query}`,
    headers,
    body: body ?? held ?? null,
    blocking: false,
    idempotent: false,
  };
}
