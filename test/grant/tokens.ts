/** Tokens for tests: a recipe that faults can change, signed at the end. */
import { toBase64url } from '../../src/crypto/base64.ts';
import { encodeUtf8 } from '../../src/crypto/bytes.ts';
import { toJwk } from '../../src/crypto/key.ts';
import { loadSigner, newKey, node } from '../../src/crypto/node.ts';
import type { Signer } from '../../src/crypto/node.ts';
import { Authorities } from '../../src/grant/authorities.ts';
import { GrantVerifier } from '../../src/grant/verify.ts';
import type { GrantRules } from '../../src/grant/verify.ts';

export const ISS = 'urn:writ:authority:test';
export const AUD = 'localhost/writ/0123456789abcdef';
/** Seconds since 1970. */
export const NOW = 1_800_000_000;
export const authority = loadSigner(newKey());
export const stranger = loadSigner(newKey());

/** A token before it is signed. */
export interface Recipe {
  header: Record<string, unknown>;
  payload: Record<string, unknown>;
  signer: Signer;
}

/** The text of a token after a change to its recipe. */
export function makeToken(change: (recipe: Recipe) => void = () => {}): string {
  const recipe: Recipe = {
    header: { alg: 'EdDSA', typ: 'writ-grant+jwt' },
    payload: {
      ...{ iss: ISS, sub: 'agent:test', aud: AUD, jti: '0191b3c4-5d6e-7f80-9a1b-2c3d4e5f6071' },
      ...{ iat: NOW - 10, exp: NOW + 600, authorization_details: [entry()] },
    },
    signer: authority,
  };
  change(recipe);
  return sign(JSON.stringify(recipe.header), JSON.stringify(recipe.payload), recipe.signer);
}

/** A compact JWS over exactly these two texts. */
export function sign(header: string, payload: string, signer: Signer = authority): string {
  const signingInput = `${toBase64url(encodeUtf8(header))}.${toBase64url(encodeUtf8(payload))}`;
  return `${signingInput}.${toBase64url(signer.sign(encodeUtf8(signingInput)))}`;
}

/** One good entry, with other members. */
export function entry(members: Record<string, unknown> = {}): Record<string, unknown> {
  return { type: 'writ_http', locations: ['http://api.example.com'], actions: ['GET'], ...members };
}

/** Authorities that trust `authority` as `ISS`. */
export function trusting(...signers: readonly Signer[]): Authorities {
  const authorities = new Authorities();
  authorities.load(authoritiesText(...(signers.length > 0 ? signers : [authority])));
  return authorities;
}

/** An `authorities.json` that pins these keys to `ISS`. */
export function authoritiesText(...signers: readonly Signer[]): string {
  return JSON.stringify({ authorities: signers.map(({ key }) => ({ iss: ISS, jwk: toJwk(key) })) });
}

/** A verifier with the usual rules. */
export function makeVerifier(rules: Partial<GrantRules> = {}): GrantVerifier {
  return new GrantVerifier({
    ...{
      suite: node,
      authorities: trusting(),
      audience: AUD,
      maxLifetimeSeconds: 3600,
      clockSkewSeconds: 30,
    },
    ...rules,
  });
}
