/** The suite on `node:crypto`: the hot path, and the only file of this room that imports Node. */
import {
  createHmac,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  hash,
  hkdfSync,
  sign,
  timingSafeEqual,
  verify,
} from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { fromBase64url, toBase64url } from './base64.ts';
import { loadJwk } from './key.ts';
import type { PublicJwk } from './key.ts';
import { hasSmallOrderR } from './small-order.ts';
import type { PublicKey, Suite } from './suite.ts';

/** A private Ed25519 key as JWK (RFC 8037 §2), as it lies in `keys/`. */
export interface PrivateJwk extends PublicJwk {
  /** base64url of the 32 bytes of seed. A secret. */
  readonly d: string;
}

/** A key that signs. */
export interface Signer {
  readonly key: PublicKey;
  /** 64 bytes, RFC 8032 §5.1.6: deterministic. Throws only when the key object is broken. */
  sign(message: Uint8Array): Uint8Array;
}

const publicKeys = new WeakMap<PublicKey, KeyObject>();

function keyObject(key: PublicKey): KeyObject {
  const known = publicKeys.get(key);
  if (known) return known;
  const made = createPublicKey({
    key: { kty: 'OKP', crv: 'Ed25519', x: toBase64url(key.bytes) },
    format: 'jwk',
  });
  publicKeys.set(key, made);
  return made;
}

/** For the digest that is being made. */
const digest = Buffer.alloc(32);

/**
 * By way of a string, which takes Node half the time for short inputs, and into an array so short that V8 keeps it in its
 * heap: `Buffer.from` leaves memory behind that only a full collection frees.
 */
function sha256(data: Uint8Array): Uint8Array {
  digest.write(hash('sha256', data, 'binary'), 'latin1');
  return new Uint8Array(digest);
}

/** Hashes and signature checks on OpenSSL, which has the rest of the verification profile of formats.md §1. */
export const node: Suite = {
  sha256,
  sha3_512: (data) => hash('sha3-512', data, 'buffer'),
  blake2b: (data) => hash('blake2b512', data, 'buffer'),
  verify: (key, message, signature) =>
    signature.length === 64 && !hasSmallOrderR(signature) && verify(null, message, keyObject(key), signature),
};

/** SHA-256 as lowercase hex, the fastest way Node has. */
export const sha256Hex = (data: Uint8Array | string): string => hash('sha256', data, 'hex');

/** SHA3-512 as lowercase hex. */
export const sha3Hex = (data: Uint8Array | string): string => hash('sha3-512', data, 'hex');

/** A fresh key pair as private JWK. */
export function newKey(): PrivateJwk {
  const { kty, crv, x, d } = generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' });
  if (kty !== 'OKP' || crv !== 'Ed25519' || !x || !d) throw new Error('node:crypto made no Ed25519 key');
  return { kty, crv, x, d };
}

/** The signer of a private JWK. Throws where it is not one, or where `x` is not the public key of `d`. */
export function loadSigner(jwk: PrivateJwk): Signer {
  const { d: _secret, ...publicPart } = jwk;
  const key = loadJwk(publicPart);
  if (!key) throw new Error('not an Ed25519 private JWK');
  const secret = createPrivateKey({ key: { ...jwk }, format: 'jwk' });
  const signer: Signer = { key, sign: (message) => sign(null, message, secret) };
  if (!node.verify(key, key.bytes, signer.sign(key.bytes)))
    throw new Error('the JWK’s x does not belong to its d');
  return signer;
}

/** A key for files that only we read again: whoever cannot read the private key can neither make nor change one. */
export interface SecretMark {
  /** HMAC-SHA-256 (RFC 2104), hex. */
  of(text: string): string;
  /** Whether `mark` is the text's; compared in constant time. */
  isOf(text: string, mark: string): boolean;
}

/** A mark for one purpose, of a key derived from a private JWK's seed (HKDF, RFC 5869). Throws where it has none. */
export function secretMark({ d }: PrivateJwk, purpose: string): SecretMark {
  const seed = fromBase64url(d);
  if (!seed) throw new Error('not a private JWK');
  const key = Buffer.from(hkdfSync('sha256', seed, '', purpose, 32));
  const digest = (text: string): Buffer => createHmac('sha256', key).update(text).digest();
  return {
    of: (text) => digest(text).toString('hex'),
    isOf: (text, mark) => {
      const given = Buffer.from(mark, 'hex');
      const right = digest(text);
      return given.length === right.length && timingSafeEqual(given, right);
    },
  };
}
