/** What a running log shows of its tree: checkpoint, tiles, entry bundles, proofs. Asks the writer for as little as can be. */
import { node } from '../../crypto/node.ts';
import { parseHead } from '../checkpoint.ts';
import type { LogLayout } from '../layout.ts';
import type { Lineage } from '../lineage.ts';
import { HASH_LENGTH } from '../merkle.ts';
import { parseNote } from '../note.ts';
import { formatProof } from '../proof.ts';
import { holeOf } from '../hole.ts';
import { TILE_WIDTH } from './tile.ts';
import { TiledTree } from './proof.ts';
import type { GiveTile } from './proof.ts';
import type { TileResource } from './path.ts';
import { readEntryBundle, readFullTile } from './source.ts';

/** A checkpoint that enough witnesses have cosigned. */
export interface Cosigned {
  /** The signed note, with the cosignatures. */
  readonly note: string;
  readonly size: number;
}

/** Where a served log comes from. */
export interface ServedParts {
  readonly lineage: Pick<Lineage, 'checkpoint' | 'proof' | 'tile'>;
  readonly layout: LogLayout;
  /** The newest checkpoint with a quorum, where witnesses are asked for and there is one. */
  readonly cosigned: () => Cosigned | undefined;
}

/** The public face of a log. Methods answer undefined for what the log does not have. */
export class ServedLog {
  readonly #parts: ServedParts;

  constructor(parts: ServedParts) {
    this.#parts = parts;
  }

  /** The checkpoint to show: the newest that enough witnesses have cosigned, else the newest. */
  async checkpoint(): Promise<string> {
    return this.#parts.cosigned()?.note ?? this.newest();
  }

  /** The newest checkpoint, whoever has cosigned it. */
  newest(): Promise<string> {
    return this.#parts.lineage.checkpoint();
  }

  /** The bytes of a tile or an entry bundle. */
  resource({ kind, address, width }: TileResource): Promise<Uint8Array | undefined> {
    return kind === 'tile' ? this.tile(address, width) : this.#bundle(address.index, width);
  }

  /** The first hashes of a tile: from its file, or from the writer while it is being filled. */
  readonly tile: GiveTile = async (address, width) => {
    const full = await readFullTile(this.#parts.layout.directory, address);
    return full ? full.subarray(0, width * HASH_LENGTH) : this.#parts.lineage.tile(address, width);
  };

  /** The tlog-proof of an entry: under the cosigned checkpoint where that covers it, else under the newest. */
  async proof(seq: number): Promise<string | undefined> {
    const cosigned = this.#parts.cosigned();
    if (!cosigned || seq >= cosigned.size) return this.#parts.lineage.proof(seq);
    const hashes = await this.tree(cosigned.size).inclusion(seq);
    return formatProof({ index: seq, hashes, checkpoint: cosigned.note });
  }

  /** Whether an entry was here once, and was pruned. */
  isPruned(seq: number): boolean {
    return seq > 0 && seq < (holeOf(this.#parts.layout) ?? 0);
  }

  /** The root of the tree of the first `size` entries; none where it never had so many. */
  async rootAt(size: number): Promise<Uint8Array | undefined> {
    return size > (await this.#size()) ? undefined : this.tree(size).root();
  }

  /** The hashes of the consistency proof between two sizes of this log; none where it never had the larger one. */
  async consistency(oldSize: number, newSize: number): Promise<readonly Uint8Array[] | undefined> {
    if (oldSize > newSize || newSize > (await this.#size())) return undefined;
    return this.tree(newSize).consistency(oldSize);
  }

  /** The tree as it was at a size that was released. */
  tree(size: number): TiledTree {
    return new TiledTree(node, size, this.tile);
  }

  /** Entries that are durable: an entry may be on disk before its sync returned, and then it is nobody's business yet. */
  async #bundle(index: number, width: number): Promise<Uint8Array | undefined> {
    const end = index * TILE_WIDTH + width;
    return end > (await this.#size()) ? undefined : readEntryBundle(this.#parts.layout, index, width);
  }

  async #size(): Promise<number> {
    return parseHead(parseNote(await this.newest())?.text ?? '')?.size ?? 0;
  }
}
