/** The points of Ed25519 whose order divides 8, as they encode. Portable. */
import { toHex } from './bytes.ts';

/** Canonical encodings alone: whoever compares R as bytes takes no other. */
const SMALL_ORDER: ReadonlySet<string> = new Set([
  `01${'00'.repeat(31)}`,
  `ec${'ff'.repeat(30)}7f`,
  '00'.repeat(32),
  `${'00'.repeat(31)}80`,
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa',
]);

/**
 * Whether a signature's R is of small order. No honest signer makes one, and verifiers disagree about them: Node's own
 * `verify` takes them in some releases of one major version and refuses them in others, Web Cryptography refuses them.
 */
export function hasSmallOrderR(signature: Uint8Array): boolean {
  return SMALL_ORDER.has(toHex(signature.subarray(0, 32)));
}
