/** Ed25519 public keys and their ids. Everything that will verify a signature is loaded here, once. */
import { Point } from '@noble/ed25519';
import { sha256 } from '@noble/hashes/sha2.js';
import { fromBase64url, toBase64url } from './base64.ts';
import { encodeUtf8, equalBytes } from './bytes.ts';
import type { PublicKey } from './suite.ts';

/** A public Ed25519 key as JWK (RFC 8037 §2); nothing else may be in it. */
export interface PublicJwk {
  readonly kty: 'OKP';
  readonly crv: 'Ed25519';
  /** base64url of the 32 bytes. */
  readonly x: string;
}

/**
 * The key that these 32 bytes encode, or undefined where the encoding is not canonical, not a curve point, or of small
 * order: under such keys, verifiers in the wild disagree or accept forgeries (formats.md §1).
 */
export function loadPublicKey(bytes: Uint8Array): PublicKey | undefined {
  if (bytes.length !== 32) return undefined;
  try {
    const point = Point.fromBytes(bytes, false);
    if (point.isSmallOrder() || !equalBytes(point.toBytes(), bytes)) return undefined;
  } catch {
    return undefined;
  }
  return { bytes: Uint8Array.from(bytes), id: thumbprint(toBase64url(bytes)) };
}

/** The key of a public JWK with exactly the members `kty`, `crv`, `x`; undefined for anything else. */
export function loadJwk(value: unknown): PublicKey | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { kty, crv, x, ...rest } = value as Partial<Record<string, unknown>>; // every member is checked below
  if (kty !== 'OKP' || crv !== 'Ed25519' || typeof x !== 'string' || Object.keys(rest).length > 0)
    return undefined;
  const bytes = fromBase64url(x);
  return bytes && loadPublicKey(bytes);
}

/** The key as JWK. */
export function toJwk(key: PublicKey): PublicJwk {
  return { kty: 'OKP', crv: 'Ed25519', x: toBase64url(key.bytes) };
}

/** RFC 7638 §3: SHA-256 over the required members in lexicographic order, without white space. */
function thumbprint(x: string): string {
  return toBase64url(sha256(encodeUtf8(`{"crv":"Ed25519","kty":"OKP","x":"${x}"}`)));
}
