/**
 * The one face of our cryptography. Two implementations stand behind it, `node.ts` (hot path) and `noble.ts`
 * (browsers, and the second opinion in tests); both must give the same verdict on every input.
 */

/** A loaded Ed25519 public key: canonical, not of small order (formats.md §1). Made only by `loadPublicKey`. */
export interface PublicKey {
  /** 32 bytes, RFC 8032 §5.1.2. */
  readonly bytes: Uint8Array;
  /** RFC 7638 thumbprint, base64url of SHA-256: our key id. */
  readonly id: string;
}

/** Hashes and signature checks. Digests are raw bytes; hex is the caller's business. */
export interface Suite {
  sha256(data: Uint8Array | string): Uint8Array;
  /** FIPS 202 SHA3-512, 64 bytes. */
  sha3_512(data: Uint8Array | string): Uint8Array;
  /** RFC 7693 BLAKE2b with 64 bytes of output, no key. */
  blake2b(data: Uint8Array | string): Uint8Array;
  /** Ed25519 under the profile of formats.md §1: S < L, cofactorless, R compared as bytes and not of small order. Never
   * throws. */
  verify(key: PublicKey, message: Uint8Array, signature: Uint8Array): boolean;
}
