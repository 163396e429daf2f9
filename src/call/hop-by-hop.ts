/** Headers that belong to one connection and never travel on (RFC 9110 §7.6.1). */

const HOP_BY_HOP: ReadonlySet<string> = new Set([
  'connection',
  'http2-settings',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authentication-info',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** Whether a lower-case name is hop-by-hop by itself. */
export function isHopByHop(name: string): boolean {
  return HOP_BY_HOP.has(name);
}

/** The lower-case names that `Connection` lists, from all its values. */
export function connectionOptions(values: readonly string[] | undefined): ReadonlySet<string> {
  if (!values) return NONE;
  return new Set(values.flatMap((value) => value.split(',').map((name) => name.trim().toLowerCase())));
}

const NONE: ReadonlySet<string> = new Set();
