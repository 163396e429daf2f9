/** Makes root grants: the one way a token of ours comes to be, checked by the rules that will verify it. */
import { toBase64url } from '../crypto/base64.ts';
import { encodeUtf8 } from '../crypto/bytes.ts';
import type { Json, JsonObject } from '../crypto/json.ts';
import { sha256Hex } from '../crypto/node.ts';
import type { Signer } from '../crypto/node.ts';
import { deny, pass } from '../denial/outcome.ts';
import type { Outcome } from '../denial/outcome.ts';
import { readClaims } from './claims.ts';
import type { Grant } from './grant.ts';
import { parseToken } from './token.ts';

/** What a grant shall say; everything else is made here. */
export interface GrantOrder {
  readonly iss: string;
  readonly sub: string;
  readonly aud: string;
  /** Entries of type `writ_http`, as they will stand in `authorization_details`. */
  readonly authorization_details: readonly Json[];
  /** Lifetime. */
  readonly seconds: number;
  /** Seconds from now at which it starts to be valid. */
  readonly delay?: number;
  readonly claims?: Readonly<Record<string, string>>;
  readonly intent?: string;
  /** Bundle digest, hex: valid only while that bundle is active. */
  readonly policy?: string;
}

/** A grant and its token. */
export interface IssuedGrant {
  /** Compact JWS. Whoever holds it may use it. */
  readonly token: string;
  readonly grant: Grant;
}

/** When and under which id a grant is issued. */
export interface Issuance {
  /** Milliseconds since 1970. */
  readonly now: number;
  /** UUIDv7. */
  readonly jti: string;
}

/** Signs a grant; refuses with the code that its verification would (`grant_claims_invalid`, `grant_too_large`). */
export function issueGrant(signer: Signer, order: GrantOrder, { now, jti }: Issuance): Outcome<IssuedGrant> {
  if (!Number.isSafeInteger(order.seconds) || order.seconds < 1)
    return deny('grant_claims_invalid', 'the lifetime is not a whole number of seconds');
  const payload = payloadOf(order, Math.floor(now / 1000), jti);
  const header = { alg: 'EdDSA', typ: 'writ-grant+jwt', kid: signer.key.id };
  const signingInput = `${encodePart(header)}.${encodePart(payload)}`;
  const token = `${signingInput}.${toBase64url(signer.sign(encodeUtf8(signingInput)))}`;
  const parsed = parseToken(token);
  if (!parsed.ok) return parsed;
  const claims = readClaims(parsed.value.payload);
  if (!claims.ok) return claims;
  return pass({
    token,
    grant: { root: claims.value.root, key: signer.key, digest: sha256Hex(signingInput) },
  });
}

function payloadOf(order: GrantOrder, iat: number, jti: string): JsonObject {
  const { iss, sub, aud, authorization_details, seconds, delay, claims, intent, policy } = order;
  return {
    ...{ iss, sub, aud, jti, iat, exp: iat + seconds, authorization_details },
    ...(delay !== undefined && { nbf: iat + delay }),
    ...(claims !== undefined && { claims }),
    ...(intent !== undefined && { intent }),
    ...(policy !== undefined && { policy: { sha256: policy } }),
  };
}

function encodePart(part: JsonObject): string {
  return toBase64url(encodeUtf8(JSON.stringify(part)));
}
