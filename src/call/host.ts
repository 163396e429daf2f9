/** Host and port, in exactly one spelling each (RFC 3986 §3.2): no byte that a resolver could read otherwise. */

/** Host and port as named; the port is undefined where it was left out. */
export interface Authority {
  /** Lower-case LDH name, or canonical IP literal without brackets. */
  readonly host: string;
  readonly port: number | undefined;
}

/** What a call goes to. */
export type Scheme = 'http' | 'https';

/** One upstream, complete. */
export interface Place {
  readonly scheme: Scheme;
  readonly host: string;
  readonly port: number;
  /** WHATWG origin, default port dropped. */
  readonly origin: string;
}

const AUTHORITY = /^(\[[0-9a-f:]+\]|[0-9A-Za-z.-]+)(?::([1-9][0-9]{0,4}))?$/;
const IPV4 = /^(?:(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])(?:\.(?!$)|$)){4}$/;
/** WHATWG URL §3.5 "ends in a number": whatever ends so is an IPv4 address to someone, `0x7f.1` as well. */
const ENDS_IN_NUMBER = /(?:^|\.)(?:[0-9]+|0x[0-9a-f]*)$/;
/** RFC 1123 §2.1: letters, digits and inner hyphens, at most 63 a label. Punycode is made of these. */
const NAME = /^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.(?!$)|$))+$/;

const DEFAULT_PORTS = { http: 80, https: 443 } as const;

/** The authority of `host[:port]`, or undefined: userinfo, empty or zero-led ports and odd hosts are all faults. */
export function parseAuthority(text: string): Authority | undefined {
  const [, spelled = '', digits] = AUTHORITY.exec(text) ?? [];
  const host = parseHost(spelled);
  const port = digits === undefined ? undefined : Number(digits);
  if (host === undefined || (port !== undefined && port > 65_535)) return undefined;
  return { host, port };
}

/** The place of a WHATWG origin `http(s)://host[:port]`, or undefined where the text is not exactly one. */
export function parseOrigin(text: string): Place | undefined {
  const [, scheme, authority = ''] = /^(https?):\/\/(.+)$/.exec(text) ?? [];
  if (scheme !== 'http' && scheme !== 'https') return undefined;
  const parsed = parseAuthority(authority);
  const place = parsed && placeOf(scheme, parsed);
  return place?.origin === text ? place : undefined;
}

/** The place that a scheme and an authority name. */
export function placeOf(scheme: Scheme, { host, port = DEFAULT_PORTS[scheme] }: Authority): Place {
  return { scheme, host, port, origin: `${scheme}://${spell({ scheme, host, port })}` };
}

/** `host:port`, without brackets, of `name` (port 443) or `name:port`, as settings name hosts; undefined for other text. */
export function httpsPlace(text: string): string | undefined {
  const authority = parseAuthority(text);
  return authority && `${authority.host}:${authority.port ?? DEFAULT_PORTS.https}`;
}

/** The `Host` that a place is sent: RFC 9110 §7.2, default port dropped. */
export function hostHeader(place: Place): string {
  return place.origin.slice(`${place.scheme}://`.length);
}

/** Lower-case name or canonical address, without brackets; undefined for every other spelling. */
function parseHost(text: string): string | undefined {
  if (text.startsWith('[')) return isCanonicalIpv6(text) ? text.slice(1, -1) : undefined;
  const name = text.toLowerCase();
  if (ENDS_IN_NUMBER.test(name)) return IPV4.test(name) ? name : undefined;
  return name.length <= 253 && NAME.test(name) ? name : undefined;
}

/** Whether WHATWG's serialisation (RFC 5952 without its §5) leaves a bracketed address as it is. */
function isCanonicalIpv6(bracketed: string): boolean {
  return URL.parse(`http://${bracketed}/`)?.hostname === bracketed;
}

function spell({ scheme, host, port }: Omit<Place, 'origin'>): string {
  const bracketed = host.includes(':') ? `[${host}]` : host;
  return port === DEFAULT_PORTS[scheme] ? bracketed : `${bracketed}:${port}`;
}
