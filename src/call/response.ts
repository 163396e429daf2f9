/** An upstream's response headers: what may reach the agent, and how its body is framed (RFC 9112 §6.3). */
import type { Framing, Header } from './call.ts';
import { readFraming } from './framing.ts';
import { readHeaders, repeatedHeader } from './headers.ts';
import { connectionOptions, isHopByHop } from './hop-by-hop.ts';
import { announcedNames } from './trailers.ts';

/** Headers that only the sidecar may send, and `Alt-Svc`, which would lead the agent round it (RFC 7838). */
const DROPPED: ReadonlySet<string> = new Set(['alt-svc', 'content-length', 'proxy-status']);

const MAX_HEADERS = 100;
const MAX_OCTETS = 16 * 1024;

/** A response head that can be passed on; `none` is a body until the connection's end. */
export interface CleanResponse {
  readonly ok: true;
  /** Lower-case names, in order; without framing, hop-by-hop and our own headers. */
  readonly headers: readonly Header[];
  readonly framing: Framing;
  /** Trailers that are to follow, lower case. */
  readonly announced: ReadonlySet<string>;
}

/** A response head that must not be passed on: the upstream failed (502). */
export interface ResponseFault {
  readonly ok: false;
  /** For the operator's log. */
  readonly fault: string;
}

/** The clean form of `name, value, …` as an upstream sent them (octets as latin1, attacker-controlled). */
export function cleanResponseHeaders(raw: readonly string[]): CleanResponse | ResponseFault {
  if (raw.length > 2 * MAX_HEADERS) return { ok: false, fault: 'header_count' };
  if (raw.join('').length > MAX_OCTETS) return { ok: false, fault: 'head_too_large' };
  const section = readHeaders(raw);
  if (!section.ok) return { ok: false, fault: section.code };
  const repeated = repeatedHeader(section.value);
  if (repeated) return { ok: false, fault: `${repeated.code}: ${repeated.detail}` };
  const framing = readFraming(section.value, { version: '1.1' });
  if (!framing.ok) return { ok: false, fault: framing.code };
  const listed = connectionOptions(section.value.values.get('connection'));
  const headers = section.value.list.filter(([name]) => !isDropped(name) && !listed.has(name));
  const announced = announcedNames(section.value.values.get('trailer'));
  return { ok: true, headers, framing: framing.value, announced };
}

function isDropped(name: string): boolean {
  return DROPPED.has(name) || isHopByHop(name) || name.startsWith('writ-');
}
