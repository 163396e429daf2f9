/**
 * Who may ask the admin listener. The agent shares loopback with it, and so may a browser: every request must name us
 * by an address or a configured name (DNS rebinding), must not come from another site's page, and brings the token for
 * everything that is not public.
 */
import { hash, timingSafeEqual } from 'node:crypto';
import { isIP } from 'node:net';

/** What the door looks at. */
export interface Knock {
  /** `Host`, attacker-controlled. */
  readonly host: string | undefined;
  /** Address the connection came in on. */
  readonly localAddress: string | undefined;
  /** `Sec-Fetch-Site` and `Origin`, which browsers set. */
  readonly fetchSite: string | undefined;
  readonly origin: string | undefined;
}

/** Why a request is turned away. */
export interface Turned {
  readonly status: 401 | 403 | 421;
  readonly detail: string;
}

/** Undefined where the request may come in (to the public part). `names` are configured host names. */
export function turnAway(knock: Knock, names: readonly string[]): Turned | undefined {
  if (!namesUs(knock, names))
    return { status: 421, detail: 'Host names none of this listener’s names (admin.hosts).' };
  const { fetchSite, origin, host } = knock;
  if (fetchSite !== undefined && fetchSite !== 'same-origin' && fetchSite !== 'none')
    return { status: 403, detail: 'Pages of other sites cannot ask here.' };
  if (origin !== undefined && origin !== `http://${host}`)
    return { status: 403, detail: 'Pages of other origins cannot ask here.' };
  return undefined;
}

/** Whether an `Authorization` value is exactly `Bearer <token>`, in constant time. No token: nobody comes in. */
export function holdsToken(authorization: string | undefined, token: string | undefined): boolean {
  if (!token || authorization === undefined) return false;
  return timingSafeEqual(digest(authorization), digest(`Bearer ${token}`));
}

function namesUs({ host, localAddress }: Knock, names: readonly string[]): boolean {
  const bare = /^(\[[0-9a-f:.]+\]|[a-z0-9.-]+)(:\d{1,5})?$/.exec(host ?? '')?.[1]?.replace(/^\[|\]$/g, '');
  if (bare === undefined) return false;
  if (isIP(bare)) return isLoopback(bare) || bare === localAddress?.replace(/^::ffff:/, '');
  return bare === 'localhost' || names.includes(bare);
}

function isLoopback(address: string): boolean {
  return address === '::1' || /^127\.\d+\.\d+\.\d+$/.test(address);
}

const digest = (text: string): Uint8Array => hash('sha256', text, 'buffer');
