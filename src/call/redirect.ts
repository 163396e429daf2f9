/** What a connection on the transparent port stands for: its agent was redirected, and names no proxy. */
import { placeOf } from './host.ts';
import type { Authority, Place, Scheme } from './host.ts';

/** One such connection. What it leaves open, `Host` says; every request on it is decided on its own. */
export interface Redirect {
  readonly scheme: Scheme;
  /** From the ClientHello; undefined in the clear. */
  readonly host: string | undefined;
  /** Of the original destination; undefined where the system does not tell. */
  readonly port: number | undefined;
  /** The original destination, for the record: `address:port`, or `unknown`. */
  readonly original: string;
}

/** The place of a request there; undefined where nothing names a host. */
export function redirectedPlace(
  { scheme, host, port }: Redirect,
  named: Authority | undefined,
): Place | undefined {
  const known = host ?? named?.host;
  return known === undefined ? undefined : placeOf(scheme, { host: known, port: port ?? named?.port });
}
