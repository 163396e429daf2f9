/** The request target: one form a port, every octet accounted for (RFC 9112 §3.2). */
import { deny, pass } from '../denial/outcome.ts';
import type { Outcome, Refusal } from '../denial/outcome.ts';
import type { RawHead } from './call.ts';
import { parseAuthority, placeOf } from './host.ts';
import type { Authority, Place } from './host.ts';
import type { HeaderSection } from './headers.ts';

/** Path and query as received, not judged yet. */
export interface Resource {
  readonly path: string;
  /** The octets after the first `?`, or null where there is no `?`. */
  readonly query: string | null;
}

/** What an absolute-form target names. */
export interface AbsoluteTarget extends Resource {
  readonly place: Place;
}

const VISIBLE = /^[\x21-\x7e]+$/;
const ABSOLUTE = /^([A-Za-z][A-Za-z0-9+.-]*):\/\/([^/?]*)([^?]*)(?:\?(.*))?$/;

/** RFC 9112 §3.2: visible ASCII only, and no fragment (RFC 9110 §7.1), whatever the form. */
export function strangeTarget({ target }: RawHead): Refusal | undefined {
  if (!VISIBLE.test(target)) return deny('target_invalid', 'an octet outside visible ASCII');
  return target.includes('#') ? deny('target_fragment', 'a # in the target') : undefined;
}

/** RFC 9112 §3.2.2, for the forward port. An empty path is `/`. */
export function readAbsolute({ method, target }: RawHead): Outcome<AbsoluteTarget> {
  const [whole, scheme, text = '', path = '', query] = ABSOLUTE.exec(target) ?? [];
  if (whole === undefined) return deny('target_absolute_required', 'not absolute-form');
  if (scheme === 'https') return deny('target_https_absolute', 'https:// in the clear');
  if (scheme !== 'http') return deny('target_invalid', `scheme ${scheme}`);
  const authority = readAuthority(text);
  if (!authority.ok) return authority;
  if (method === 'OPTIONS' && path === '') return deny('target_invalid', 'asterisk-form in disguise'); // RFC 9112 §3.2.4
  return pass({ place: placeOf('http', authority.value), path: path || '/', query: query ?? null });
}

/** RFC 9112 §3.2.1, for the reverse port. */
export function readOrigin({ target }: RawHead): Outcome<Resource> {
  if (!target.startsWith('/')) return deny('target_origin_required', 'not origin-form');
  const mark = target.indexOf('?');
  if (mark < 0) return pass({ path: target, query: null });
  return pass({ path: target.slice(0, mark), query: target.slice(mark + 1) });
}

/** RFC 9112 §3.2.3, for CONNECT: only `host:port`. */
export function readTunnel({ target }: RawHead): Outcome<Authority> {
  const authority = readAuthority(target);
  if (authority.ok && authority.value.port === undefined)
    return deny('target_invalid', 'CONNECT without a port');
  return authority;
}

/**
 * The `Host` header, or what stands for it in HTTP/2: needed in HTTP/1.1, undefined where HTTP/1.0 has none (RFC 9112
 * §3.2).
 */
export function readHost(
  { values }: HeaderSection,
  { version, stream }: RawHead,
): Outcome<Authority | undefined> {
  const [header] = values.get('host') ?? [];
  const text = stream?.authority ?? header;
  if (header !== undefined && text !== header)
    return deny('authority_mismatch', `Host ${JSON.stringify(header)}, :authority ${JSON.stringify(text)}`);
  if (text === undefined) return version === '1.0' ? pass(undefined) : deny('host_missing', 'no Host');
  const host = parseAuthority(text);
  return host ? pass(host) : deny('host_invalid', `Host: ${JSON.stringify(text)}`);
}

/** RFC 9112 §3.2.2 lets a proxy ignore a differing `Host`; an upstream behind us might not. */
export function otherHost(place: Place, host: Authority | undefined): Refusal | undefined {
  if (!host || placeOf(place.scheme, host).origin === place.origin) return undefined;
  return deny('authority_mismatch', `Host ${host.host}, target ${place.origin}`);
}

function readAuthority(text: string): Outcome<Authority> {
  if (text.includes('@')) return deny('target_userinfo', 'userinfo in the target'); // RFC 9110 §4.2.4
  const authority = parseAuthority(text);
  return authority ? pass(authority) : deny('host_invalid', JSON.stringify(text));
}
