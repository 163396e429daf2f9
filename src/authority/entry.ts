/** `grant:v1`: that a grant was issued goes on record; the token, which whoever holds it may use, does not. */
import { canonicalJson } from '../crypto/json.ts';
import { sha256Hex } from '../crypto/node.ts';
import type { IssuedGrant } from '../grant/issue.ts';
import { parseToken } from '../grant/token.ts';
import type { EntryRequest } from '../lineage/lineage.ts';
import { draft } from '../lineage/statement.ts';

/** The predicate `grant:v1`. */
export interface GrantPredicate {
  readonly aud: string;
  /** SHA-256 of the JWS signing input, hex. */
  readonly digest: string;
  /** Seconds since 1970. */
  readonly expires: number;
  readonly iss: string;
  readonly jti: string;
  /** Thumbprint of the signing key. */
  readonly key: string;
  /** SHA-256 over JCS of `authorization_details`, hex. */
  readonly scope: string;
  readonly sub: string;
}

/** The entry that records one issued grant; `id`: a fresh UUID. */
export function grantEntry(id: string, issued: IssuedGrant): EntryRequest {
  return { ...draft('grant', id, predicateOf(issued)), receipt: false };
}

function predicateOf({ token, grant: { root, key, digest } }: IssuedGrant): GrantPredicate {
  const { aud, exp, iss, jti, sub } = root;
  const parsed = parseToken(token);
  if (!parsed.ok) throw new Error('what was issued is a token');
  const scope = sha256Hex(canonicalJson(parsed.value.payload.authorization_details ?? null));
  return { aud, digest, expires: exp, iss, jti, key: key.id, scope, sub };
}
