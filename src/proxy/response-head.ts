/** The head of an upstream's response, made ready for the agent. */
import type { Header } from '../call/call.ts';
import { cleanResponseHeaders } from '../call/response.ts';

/** Name, value, name, value …, with framing of ours; or why the response cannot be passed on. */
export type ResponseHead =
  { readonly ok: true; readonly headers: readonly string[] } | { readonly ok: false; readonly fault: string };

/** The head as it goes to the agent, from what undici received (octets, attacker-controlled), with the permit's mark. */
export function responseHead(status: number, raw: unknown, mark: string): ResponseHead {
  const clean = cleanResponseHeaders(textsOf(raw));
  if (!clean.ok) return clean;
  const { framing } = clean;
  const headers: string[] = [];
  for (const [name, value] of clean.headers) headers.push(name, value);
  if (framing.kind === 'length' && status !== 204) headers.push('content-length', String(framing.bytes));
  headers.push('writ-decision', mark);
  return { ok: true, headers };
}

/** The `link` values of a 103 (RFC 8297): the only header of a 1xx that is relayed. */
export function earlyLinks(raw: unknown): readonly string[] {
  const clean = cleanResponseHeaders(textsOf(raw));
  if (!clean.ok) return [];
  return clean.headers.filter(([name]: Header) => name === 'link').map(([, value]) => value);
}

/** undici hands raw headers over as buffers. */
function textsOf(raw: unknown): readonly string[] {
  if (!Array.isArray(raw)) return [];
  return raw.map((part: unknown) => (Buffer.isBuffer(part) ? part.toString('latin1') : String(part)));
}
