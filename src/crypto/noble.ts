/** The suite on @noble: for browsers, and as the second opinion in tests. */
import { hashes, Point } from '@noble/ed25519';
import { blake2b } from '@noble/hashes/blake2.js';
import { sha256, sha512 } from '@noble/hashes/sha2.js';
import { sha3_512 } from '@noble/hashes/sha3.js';
import { concatBytes, encodeUtf8, equalBytes } from './bytes.ts';
import { hasSmallOrderR } from './small-order.ts';
import type { PublicKey, Suite } from './suite.ts';

const ORDER = 2n ** 252n + 27742317777372353535851937790883648493n;

hashes.sha512 = sha512;

const bytesOf = (data: Uint8Array | string): Uint8Array =>
  typeof data === 'string' ? encodeUtf8(data) : data;

/** Hashes and signature checks without any Node import. */
export const noble: Suite = {
  sha256: (data) => sha256(bytesOf(data)),
  sha3_512: (data) => sha3_512(bytesOf(data)),
  blake2b: (data) => blake2b(bytesOf(data), { dkLen: 64 }),
  verify(key, message, signature) {
    try {
      return verifyCofactorless(key, message, signature);
    } catch {
      return false;
    }
  },
};

/**
 * RFC 8032 §5.1.7 with the cofactorless equation and R compared as bytes, which is what OpenSSL does. noble's own
 * `verify` is ZIP 215 and would accept what `node:crypto` refuses.
 */
function verifyCofactorless(key: PublicKey, message: Uint8Array, signature: Uint8Array): boolean {
  if (signature.length !== 64 || hasSmallOrderR(signature)) return false;
  const r = signature.subarray(0, 32);
  const s = littleEndian(signature.subarray(32));
  if (s >= ORDER) return false;
  const a = Point.fromBytes(key.bytes, false);
  const k = littleEndian(sha512(concatBytes(r, key.bytes, message))) % ORDER;
  const left = s === 0n ? Point.ZERO : Point.BASE.multiply(s, false);
  const right = k === 0n ? Point.ZERO : a.multiply(k, false);
  return equalBytes(left.subtract(right).toBytes(), r);
}

function littleEndian(bytes: Uint8Array): bigint {
  return bytes.reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
}
