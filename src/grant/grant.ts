/** A verified grant: everything in it was signed by a trusted authority, in time, for this sidecar. */
import type { PublicKey } from '../crypto/suite.ts';

/** One entry of `authorization_details` (RFC 9396), type `writ_http`. */
export interface ScopeEntry {
  /** WHATWG origins of `http:` and `https:`. */
  readonly locations: readonly string[];
  readonly actions: readonly string[];
  /** Path patterns, split and decoded as `call.segments` are: literals, `*`, final `**`. Absent: every path. */
  readonly paths?: readonly (readonly string[])[];
  readonly max_calls?: number;
  readonly max_request_bytes?: number;
  readonly max_response_bytes?: number;
  readonly max_seconds?: number;
  /** SHA-256 of the one allowed body, hex. */
  readonly content_sha256?: string;
  readonly mcp_tools?: readonly string[];
}

/** The claims of a root grant. */
export interface RootClaims {
  readonly iss: string;
  readonly sub: string;
  readonly aud: string;
  readonly jti: string;
  /** Seconds since 1970. */
  readonly iat: number;
  readonly nbf?: number;
  readonly exp: number;
  readonly scope: readonly ScopeEntry[];
  readonly claims: Readonly<Record<string, string>>;
  readonly intent?: string;
  /** Bundle digest, hex. */
  readonly policy?: string;
}

/** A verified root grant (chains come later). */
export interface Grant {
  readonly root: RootClaims;
  /** The authority's key. */
  readonly key: PublicKey;
  /** SHA-256 of the JWS signing input, hex. */
  readonly digest: string;
}

/** A grant, and the entry of it that covers a call. */
export interface Coverage {
  readonly grant: Grant;
  /** Index into `authorization_details`. */
  readonly index: number;
  readonly entry: ScopeEntry;
  /** The entry binds the body: read it, and ask `coverContent` before its first byte leaves. */
  readonly needsBody: boolean;
}

/** The agent of a grant as one text: what it may not take from other agents is counted by it. */
export function agentOf({ root }: Pick<Grant, 'root'>): string {
  return `${root.iss} ${root.sub}`;
}
