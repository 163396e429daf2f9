/** The head of an upstream's response, made ready for the agent. */
import type { Framing, Header } from '../call/call.ts';
import { cleanResponseHeaders } from '../call/response.ts';

/** A head that can be passed on. */
export interface FitHead {
  readonly ok: true;
  /** Name, value, name, value …, with framing of ours. */
  readonly headers: readonly string[];
  /** What the body's length is said to be. */
  readonly framing: Framing;
  /** Trailers that are to follow. */
  readonly announced: ReadonlySet<string>;
}

/** A head for the agent, or why the response cannot be passed on. */
export type ResponseHead = FitHead | { readonly ok: false; readonly fault: string };

/** The head as it goes to the agent, from what came (octets as latin1, attacker-controlled), with the permit's mark. */
export function responseHead(status: number, raw: readonly string[], mark: string): ResponseHead {
  const clean = cleanResponseHeaders(raw);
  if (!clean.ok) return clean;
  const { framing, announced } = clean;
  const headers: string[] = [];
  for (const [name, value] of clean.headers) headers.push(name, value);
  if (framing.kind === 'length' && status !== 204) headers.push('content-length', String(framing.bytes));
  headers.push('writ-decision', mark);
  return { ok: true, headers, framing, announced };
}

/**
 * One link (RFC 8288 §3), its parameters each with one reading: node:http judges what an upstream sent by an expression that
 * takes for ever where it has several.
 */
const LINK = /^<[^<>\s"]*>(?: ?; ?[\w!#$%&'*+.^`|~-]+(?:=(?:[\w!#$%&'*+.^`|~:/?-]+|"[^;"\\\s]*"))?)*$/;

/** The `link` values of a 103 (RFC 8297): the only header of a 1xx that is relayed. */
export function earlyLinks(raw: readonly string[]): readonly string[] {
  const clean = cleanResponseHeaders(raw);
  if (!clean.ok) return [];
  return clean.headers
    .filter(([name, value]: Header) => name === 'link' && LINK.test(value))
    .map(([, value]) => value);
}
