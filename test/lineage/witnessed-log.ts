/** A log that grows in memory and signs heads, and everything that it would hand to a witness. */
import { loadSigner, newKey, node } from '../../src/crypto/node.ts';
import { formatConsistency } from '../../src/lineage/consistency.ts';
import { leafHash } from '../../src/lineage/merkle.ts';
import { noteKey } from '../../src/lineage/note.ts';
import type { NoteKey } from '../../src/lineage/note.ts';
import { signHead } from '../../src/lineage/seal.ts';
import { Tree } from '../../src/lineage/tree.ts';

/** Two logs made with one `signer` are two histories of one key. */
export class GrowingLog {
  readonly key: NoteKey;
  readonly signer: ReturnType<typeof loadSigner>;
  readonly #tree = new Tree(node, () => undefined);

  constructor(name: string, signer = loadSigner(newKey())) {
    this.signer = signer;
    this.key = noteKey(node, { name, type: 'log', key: signer.key });
  }

  /** Appends entries; `what` tells histories apart. */
  grow(count: number, what = ''): this {
    for (let i = 0; i < count; i++) this.#tree.push(leafHash(node, Buffer.from(`${what}${this.#tree.size}`)));
    return this;
  }

  /** The signed checkpoint. */
  checkpoint(): string {
    return signHead(this.signer, this.key, {
      origin: this.key.name,
      size: this.#tree.size,
      root: this.#tree.root(),
    });
  }

  /** The body of an `add-checkpoint` for a witness that remembers `oldSize`. */
  request(oldSize: number): string {
    const hashes = oldSize === 0 || oldSize > this.#tree.size ? [] : this.#tree.consistency(oldSize);
    return formatConsistency({ oldSize, hashes, checkpoint: this.checkpoint() });
  }
}
