/** One outbound request, normalised: what grant, policy and record see is exactly what will be forwarded. */

import type { Upgrade } from './upgrade.ts';

/** How the request reached the sidecar. */
export type Carrier = 'forward' | 'reverse' | 'connect' | 'transparent';

/** A header as it will be forwarded: lower-case name, value as received (latin1). Both attacker-controlled. */
export type Header = readonly [name: string, value: string];

/** How the request's body is framed; the sidecar writes this framing itself. */
export type Framing =
  | { readonly kind: 'none' }
  | { readonly kind: 'length'; readonly bytes: number }
  | { readonly kind: 'chunked' };

/** A head as an HTTP parser gave it, nothing believed yet. */
export interface RawHead {
  readonly method: string;
  /** The request target, octets as latin1; in HTTP/2 its `:path`. */
  readonly target: string;
  /** `1.1`, `1.0` or `2`. */
  readonly version: string;
  /** Name, value, name, value … in order, all of them (node:http `rawHeaders` with `maxHeadersCount = 0`). */
  readonly headers: readonly string[];
  /** In HTTP/2 only. */
  readonly stream?: StreamHead;
}

/** What an HTTP/2 request says outside its method, path and headers (RFC 9113 §8.3.1). */
export interface StreamHead {
  readonly scheme: string | undefined;
  readonly authority: string | undefined;
  /** END_STREAM stood on the head: there is no body. */
  readonly ended: boolean;
}

/** Where the grant stood; the text is attacker-controlled and not looked at yet. */
export interface Credential {
  readonly from: 'writ-grant' | 'proxy-authorization';
  readonly text: string;
}

/** A strict call: made only by `readCall`. */
export interface Call {
  /** UUIDv7 of this call; also the id of its decision. */
  readonly id: string;
  readonly carrier: Carrier;
  readonly method: string;
  /** What a grant's `actions` must hold: the method, or `CONNECT` or `UPGRADE` where nobody can read what follows. */
  readonly action: string;
  /** What the connection is to become. */
  readonly upgrade?: Upgrade;
  readonly scheme: 'http' | 'https';
  /** Lower-case LDH name, or canonical IP literal without brackets. */
  readonly host: string;
  readonly port: number;
  /** WHATWG origin of the upstream (after routing), default port dropped. */
  readonly origin: string;
  /** Path as forwarded (after routing), starts with `/`, no query. Empty for CONNECT, which shows none. */
  readonly path: string;
  /** The path split at `/`, then each decoded once. `/` is `['']`, `/a/` is `['a', '']`; CONNECT has none. */
  readonly segments: readonly string[];
  /** The octets after the first `?`, or null where there is no `?`. */
  readonly query: string | null;
  /** The method that a method-override header asks for, where the route lets one through: to be granted as well. */
  readonly override?: string;
  /**
   * Exactly the headers to forward, in order, `host` first, `traceparent` last; no framing, hop-by-hop or grant
   * headers.
   */
  readonly headers: readonly Header[];
  readonly framing: Framing;
  /** Absent where the call carries no grant. */
  readonly credential?: Credential;
  /** W3C traceparent that is forwarded: the agent's trace id where it sent a valid one. */
  readonly trace: string;
  /** 16 random bytes a call, for the salted digests of formats.md §3. */
  readonly salt: Uint8Array;
}
