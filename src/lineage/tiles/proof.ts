/**
 * Roots and proofs of a tree of which only the hash tiles are at hand, wherever they come from (c2sp.org/tlog-tiles). What
 * untrusted tiles lead to is worth nothing until it was compared with a signed root. Portable.
 */
import type { Suite } from '../../crypto/suite.ts';
import {
  consistencyRanges,
  emptyRoot,
  HASH_LENGTH,
  inclusionRanges,
  levelOf,
  nodeHash,
  splitPoint,
} from '../merkle.ts';
import type { Range } from '../merkle.ts';
import { locate } from './tile.ts';
import type { TileAddress } from './tile.ts';
import { tileWidth } from './path.ts';

/** Gives the first `width` hashes of a tile (32 bytes each), or undefined where it cannot. */
export type GiveTile = (address: TileAddress, width: number) => Promise<Uint8Array | undefined>;

/** A tile that was needed and not given. */
export class TileMissing extends Error {
  override readonly name = 'TileMissing';
  readonly code = 'tile_missing';
}

/** A tree of a fixed size over its tiles. Every method rejects with `TileMissing` where a tile is not given. */
export class TiledTree {
  readonly size: number;
  readonly #suite: Suite;
  readonly #give: GiveTile;
  readonly #tiles = new Map<string, Promise<Uint8Array>>();

  constructor(suite: Suite, size: number, give: GiveTile) {
    this.#suite = suite;
    this.size = size;
    this.#give = give;
  }

  /** The root that the tree had when it had `size` leaves, at most as many as now. */
  root(size = this.size): Promise<Uint8Array> {
    return this.#hashOf({ start: 0, end: size });
  }

  /** The inclusion proof of leaf `index` < size, leaf upwards. */
  inclusion(index: number): Promise<readonly Uint8Array[]> {
    return Promise.all(inclusionRanges(index, this.size).map((range) => this.#hashOf(range)));
  }

  /** The consistency proof from `oldSize` to the size; empty where `oldSize` is 0 (tlog-witness) or the size itself. */
  consistency(oldSize: number): Promise<readonly Uint8Array[]> {
    if (oldSize === 0) return Promise.resolve([]);
    return Promise.all(consistencyRanges(oldSize, this.size).map((range) => this.#hashOf(range)));
  }

  async #hashOf({ start, end }: Range): Promise<Uint8Array> {
    if (end === start) return emptyRoot(this.#suite);
    const level = levelOf(end - start);
    if (level !== undefined) return this.#node(level, start / (end - start));
    const middle = start + splitPoint(end - start);
    const halves = [this.#hashOf({ start, end: middle }), this.#hashOf({ start: middle, end })] as const;
    const [left, right] = await Promise.all(halves);
    return nodeHash(this.#suite, left, right);
  }

  async #node(level: number, index: number): Promise<Uint8Array> {
    const { row, slot, ...address } = locate(level, index);
    const hashes = await this.#tile(address);
    return this.#above(hashes, row, slot);
  }

  /** The node `row` rows above the tile's own hashes. */
  #above(hashes: Uint8Array, row: number, slot: number): Uint8Array {
    if (row === 0) return hashes.slice(slot * HASH_LENGTH, (slot + 1) * HASH_LENGTH);
    return nodeHash(
      this.#suite,
      this.#above(hashes, row - 1, 2 * slot),
      this.#above(hashes, row - 1, 2 * slot + 1),
    );
  }

  #tile(address: TileAddress): Promise<Uint8Array> {
    const key = `${address.level}/${address.index}`;
    const known = this.#tiles.get(key);
    if (known) return known;
    const asked = this.#ask(address);
    this.#tiles.set(key, asked);
    return asked;
  }

  async #ask(address: TileAddress): Promise<Uint8Array> {
    const width = tileWidth(address, this.size);
    const hashes = await this.#give(address, width);
    if (hashes?.length === width * HASH_LENGTH) return hashes;
    throw new TileMissing(`tile ${address.index} of level ${address.level}, ${width} wide, is missing`);
  }
}
