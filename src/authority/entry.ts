/** `grant:v1`: that a grant was issued goes on record; the token, which whoever holds it may use, does not. */
import { canonicalJson } from '../crypto/json.ts';
import type { Json } from '../crypto/json.ts';
import { sha256Hex } from '../crypto/node.ts';
import type { Grant } from '../grant/grant.ts';
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
  /** SHA-256 over JCS of the scope as it was read, hex. */
  readonly scope: string;
  readonly sub: string;
}

/** The entry that records one issued grant; `id`: a fresh UUID. */
export function grantEntry(id: string, grant: Grant): EntryRequest {
  return { ...draft('grant', id, predicateOf(grant)), receipt: false };
}

function predicateOf({ root, key, digest }: Grant): GrantPredicate {
  const { aud, exp, iss, jti, sub } = root;
  const scope = sha256Hex(canonicalJson(root.scope as unknown as Json)); // as: lists of strings and integers
  return { aud, digest, expires: exp, iss, jti, key: key.id, scope, sub };
}
