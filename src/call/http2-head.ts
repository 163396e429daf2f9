/** What an HTTP/2 head must be beside the rules for all heads (RFC 9113 §8.2–8.3). */
import { deny } from '../denial/outcome.ts';
import type { Refusal } from '../denial/outcome.ts';
import type { RawHead, StreamHead } from './call.ts';
import type { Authority, Place } from './host.ts';
import { otherHost } from './target.ts';

/** RFC 9113 §8.2.2: what belonged to an HTTP/1 connection. */
const CONNECTION_SPECIFIC: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
]);

/** The first of these rules that a head breaks; nothing for HTTP/1. */
export function unfitForStream(head: RawHead): Refusal | undefined {
  const { stream, headers } = head;
  if (!stream) return undefined;
  for (let i = 0; i < headers.length; i += 2) {
    const fault = unfitHeader(headers[i] ?? '', headers[i + 1] ?? '');
    if (fault) return fault;
  }
  return tunnelInStream(head) ?? strangeScheme(stream);
}

/**
 * The head of a request's fields, `name, value, …` as they came. Pseudo-headers that HTTP/2 does not know here, or that
 * stand twice, stay among the headers, where their colon refuses them.
 */
export function streamHead(fields: readonly string[], ended: boolean): RawHead {
  const pseudo = new Map<string, string>();
  const headers: string[] = [];
  let crumbs = -1;
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i] ?? '';
    const value = fields[i + 1] ?? '';
    if (name === 'cookie' && crumbs >= 0) {
      headers[crumbs] += `; ${value}`; // RFC 9113 §8.2.3: one header to whoever speaks HTTP/1
      continue;
    }
    if (name === 'cookie') crumbs = headers.length + 1;
    if (PSEUDO.has(name) && !pseudo.has(name) && headers.length === 0) pseudo.set(name, value);
    else headers.push(name, value);
  }
  return {
    method: pseudo.get(':method') ?? '',
    target: pseudo.get(':path') ?? '',
    version: '2',
    headers,
    stream: { scheme: pseudo.get(':scheme'), authority: pseudo.get(':authority'), ended },
  };
}

/** RFC 9113 §9.1.1: a request for another place than the connection's. Its client may ask again on one of its own. */
export function coalesced(
  { stream }: RawHead,
  place: Place,
  host: Authority | undefined,
): Refusal | undefined {
  if (!stream || (stream.scheme === place.scheme && !otherHost(place, host))) return undefined;
  return deny('authority_misdirected', `${stream.scheme} ${host?.host}, connection for ${place.origin}`);
}

const PSEUDO: ReadonlySet<string> = new Set([':authority', ':method', ':path', ':scheme']);

function unfitHeader(name: string, value: string): Refusal | undefined {
  if (name !== name.toLowerCase()) return deny('header_invalid', `${name} in HTTP/2`); // RFC 9113 §8.2.1
  if (CONNECTION_SPECIFIC.has(name)) return deny('header_invalid', `${name} in HTTP/2`);
  if (name === 'te' && value !== 'trailers') return deny('header_invalid', `TE: ${value} in HTTP/2`);
  return undefined;
}

/** A tunnel would be one stream of many, and nobody asks for one: neither RFC 9113 §8.5 nor RFC 8441 is offered. */
function tunnelInStream({ method }: RawHead): Refusal | undefined {
  return method === 'CONNECT' ? deny('tunnel_unsupported', 'CONNECT in HTTP/2') : undefined;
}

/** RFC 9113 §8.3.1: the schemes that we forward. Which of them a connection stands for is judged with its place. */
function strangeScheme({ scheme }: StreamHead): Refusal | undefined {
  if (scheme === 'http' || scheme === 'https') return undefined;
  return deny('target_invalid', `scheme ${JSON.stringify(scheme)}`);
}
