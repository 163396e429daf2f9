/**
 * Which addresses a call may reach (threats.md §3). The table is meant to be read by eye: what stands in it is refused
 * unless the operator names it; what does not is the public internet.
 */
import ipaddr from 'ipaddr.js';

/** Who may name an address that is refused otherwise. */
type Named =
  /** An operator, as `address:port` or `cidr:port`; also the host name of a reverse route. */
  | 'route'
  /** An operator, as `address:port` or `cidr:port` only. */
  | 'exactly';

/** One row of the table. */
export interface ForbiddenRange {
  readonly cidr: string;
  readonly is: string;
  readonly unless: Named;
}

const row = (cidr: string, is: string, unless: Named = 'exactly'): ForbiddenRange => ({ cidr, is, unless });

/** IANA's special-purpose registries, and what clouds added to them. The first row that matches is the answer. */
export const FORBIDDEN: readonly ForbiddenRange[] = [
  row('127.0.0.0/8', 'loopback', 'route'),
  row('10.0.0.0/8', 'private', 'route'),
  row('172.16.0.0/12', 'private', 'route'),
  row('192.168.0.0/16', 'private', 'route'),
  row('100.100.100.200/32', 'cloud metadata'),
  row('100.64.0.0/10', 'carrier-grade NAT', 'route'),
  row('169.254.0.0/16', 'link-local and cloud metadata'),
  row('168.63.129.16/32', 'cloud metadata'),
  row('192.0.0.192/32', 'cloud metadata'),
  row('0.0.0.0/8', 'this network'),
  row('192.0.0.0/24', 'protocol assignments'),
  row('192.0.2.0/24', 'documentation'),
  row('192.31.196.0/24', 'AS112'),
  row('192.52.193.0/24', 'AMT'),
  row('192.88.99.0/24', '6to4 relay'),
  row('192.175.48.0/24', 'AS112'),
  row('198.18.0.0/15', 'benchmarking'),
  row('198.51.100.0/24', 'documentation'),
  row('203.0.113.0/24', 'documentation'),
  row('224.0.0.0/4', 'multicast'),
  row('240.0.0.0/4', 'reserved and broadcast'),

  row('::1/128', 'loopback', 'route'),
  row('fd00:ec2::/32', 'cloud metadata'),
  row('fd20:ce::/32', 'cloud metadata'),
  row('fc00::/7', 'unique local', 'route'),
  row('::/128', 'unspecified'),
  row('64:ff9b:1::/48', 'local NAT64'),
  row('100::/64', 'discard-only'),
  row('2001::/32', 'Teredo'),
  row('2001::/23', 'protocol assignments'),
  row('2001:db8::/32', 'documentation'),
  row('2620:4f:8000::/48', 'AS112'),
  row('3fff::/20', 'documentation'),
  row('5f00::/16', 'segment routing'),
  row('fe80::/10', 'link-local'),
  row('fec0::/10', 'site-local'),
  row('ff00::/8', 'multicast'),
];

/** IPv6 prefixes that carry an IPv4 address, and the bit where it begins: what is inside is judged. */
const EMBEDDED: readonly { readonly cidr: string; readonly is: string; readonly bit: number }[] = [
  { cidr: '::ffff:0:0/96', is: 'IPv4-mapped', bit: 96 },
  { cidr: '::ffff:0:0:0/96', is: 'IPv4-translated', bit: 96 },
  { cidr: '64:ff9b::/96', is: 'NAT64', bit: 96 },
  { cidr: '2002::/16', is: '6to4', bit: 16 },
  { cidr: '::/96', is: 'IPv4-compatible', bit: 96 },
];

/** Of IPv6 only this, and what is embedded, is unicast that can be global (RFC 4291 §2.4). */
const GLOBAL_IPV6 = ipaddr.parseCIDR('2000::/3');

/** A parsed address. */
export type Parsed = ipaddr.IPv4 | ipaddr.IPv6;

const forbidden = FORBIDDEN.map((given) => ({ ...given, range: ipaddr.parseCIDR(given.cidr) }));
const embedded = EMBEDDED.map((given) => ({ ...given, range: ipaddr.parseCIDR(given.cidr) }));

/** An address as text of exactly four decimal parts, or of any IPv6 spelling without zone; undefined for anything else. */
export function parseAddress(text: string): Parsed | undefined {
  if (ipaddr.IPv4.isValidFourPartDecimal(text)) return ipaddr.IPv4.parse(text);
  const canonical = canonicalIpv6(text);
  return canonical === undefined ? undefined : ipaddr.IPv6.parse(canonical);
}

/** An address in the one spelling in which it is recorded and dialled. */
export function spellAddress(address: Parsed): string {
  const text = address.toString();
  return address.kind() === 'ipv4' ? text : (canonicalIpv6(text) ?? text);
}

/** WHATWG's spelling, all in hexadecimal: ipaddr.js would read `::127.0.0.1` as `::ffff:127.0.0.1`. */
function canonicalIpv6(text: string): string | undefined {
  if (!/^[0-9a-fA-F:.]*:[0-9a-fA-F:.]*$/.test(text)) return undefined;
  return URL.parse(`http://[${text}]/`)?.hostname.slice(1, -1);
}

/** Why an address is refused unless it is named; undefined for a public one. */
export function whyForbidden(address: Parsed): { readonly is: string; readonly unless: Named } | undefined {
  const row = forbidden.find(({ range }) => inside(address, range));
  if (row) return row;
  const carrier = embedded.find(({ range }) => inside(address, range));
  if (carrier) {
    const within = whyForbidden(innerAddress(address));
    return within && { is: `${carrier.is} ${within.is}`, unless: 'exactly' };
  }
  if (address.kind() === 'ipv4' || inside(address, GLOBAL_IPV6)) return undefined;
  return { is: 'not global unicast', unless: 'exactly' };
}

/** The IPv4 address that an IPv6 address carries, or the address itself. */
export function innerAddress(address: Parsed): Parsed {
  const carrier = embedded.find(({ range }) => inside(address, range));
  if (!carrier) return address;
  const start = carrier.bit / 8;
  return ipaddr.fromByteArray(address.toByteArray().slice(start, start + 4));
}

/** Whether an address lies in a range of its own family. */
export function inside(address: Parsed, [network, bits]: readonly [Parsed, number]): boolean {
  return address.kind() === network.kind() && address.match(network, bits);
}
