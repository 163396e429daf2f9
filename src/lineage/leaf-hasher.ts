/** Leaf hashes of many entries: the same as `leafHash`, in hex, without an allocation for each. */
import { sha256Hex } from '../crypto/node.ts';
import { MAX_ENTRY_LENGTH } from './segment.ts';

/** Hashes one entry after the other. */
export class LeafHasher {
  /** 0x00 ‖ entry. */
  readonly #bytes = new Uint8Array(1 + MAX_ENTRY_LENGTH);

  /** SHA-256(0x00 ‖ entry), lowercase hex (RFC 6962 §2.1). */
  hex(entry: Uint8Array): string {
    this.#bytes.set(entry, 1);
    return sha256Hex(this.#bytes.subarray(0, 1 + entry.length));
  }
}
