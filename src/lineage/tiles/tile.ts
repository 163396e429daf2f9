/** Hash tiles (c2sp.org/tlog-tiles): 256 neighbouring hashes of a tree, and all nodes above them. Pure. */
import { HASH_LENGTH, nodeHash } from '../merkle.ts';
import type { Suite } from '../../crypto/suite.ts';

/** Hashes in a full tile. */
export const TILE_WIDTH = 256;
/** Levels of the tree that one tile spans. */
export const TILE_HEIGHT = 8;

/** Where a tile stands: tile level `level` holds nodes of tree level 8 × level. */
export interface TileAddress {
  readonly level: number;
  readonly index: number;
}

/** Where the tree's node (level, index) is: its tile, the row in it (0 is the tile's own hashes), and the slot in that row. */
export function locate(
  level: number,
  index: number,
): TileAddress & { readonly row: number; readonly slot: number } {
  const row = level % TILE_HEIGHT;
  const width = TILE_WIDTH >> row;
  return { level: (level - row) / TILE_HEIGHT, index: Math.floor(index / width), row, slot: index % width };
}

/** `tile/<L>/<N>`, N in groups of three digits, all but the last with `x`. */
export function tilePath({ level, index }: TileAddress): string {
  const digits = String(index).padStart(Math.ceil(String(index).length / 3) * 3, '0');
  const groups = digits.match(/.{3}/g) ?? [];
  return ['tile', level, ...groups.map((group, i) => (i < groups.length - 1 ? `x${group}` : group))].join(
    '/',
  );
}

/** A tile with every node above its hashes, so that no proof hashes anything twice. */
export class Tile {
  readonly address: TileAddress;
  readonly #nodes: Uint8Array;

  /** An empty one; in the memory of `old`, where that is given, at which nobody may look any more. */
  constructor(address: TileAddress, old?: Tile) {
    this.address = address;
    this.#nodes = old ? old.#nodes.fill(0) : new Uint8Array(2 * TILE_WIDTH * HASH_LENGTH);
  }

  /** The tile of these 256 hashes, its upper nodes computed. */
  static full(suite: Suite, address: TileAddress, hashes: Uint8Array): Tile {
    const tile = new Tile(address);
    tile.#nodes.set(hashes);
    for (let row = 1; row < TILE_HEIGHT; row++)
      for (let slot = 0; slot < TILE_WIDTH >> row; slot++)
        tile.set(row, slot, nodeHash(suite, tile.get(row - 1, 2 * slot), tile.get(row - 1, 2 * slot + 1)));
    return tile;
  }

  /** Sets the tile's hash number `slot`, after those before it, and every node above that it completes. */
  append(suite: Suite, slot: number, hash: Uint8Array): void {
    this.set(0, slot, hash);
    let at = slot;
    for (let row = 1; row < TILE_HEIGHT && at % 2 === 1; row++) {
      const left = at - 1;
      at = left / 2;
      this.set(row, at, nodeHash(suite, this.get(row - 1, left), this.get(row - 1, left + 1)));
    }
  }

  /** A copy of one node. */
  get(row: number, slot: number): Uint8Array {
    const at = offset(row, slot);
    return this.#nodes.slice(at, at + HASH_LENGTH);
  }

  set(row: number, slot: number, hash: Uint8Array): void {
    this.#nodes.set(hash, offset(row, slot));
  }

  /** What stands for this tile on the level above. Only of a full tile. */
  root(suite: Suite): Uint8Array {
    return nodeHash(suite, this.get(TILE_HEIGHT - 1, 0), this.get(TILE_HEIGHT - 1, 1));
  }

  /** The 256 hashes, as the tile's file has them. Only of a full tile. */
  hashes(): Uint8Array {
    return this.#nodes.subarray(0, TILE_WIDTH * HASH_LENGTH);
  }
}

/** Row after row: 256 hashes, 128, 64 … */
function offset(row: number, slot: number): number {
  return (2 * TILE_WIDTH - ((2 * TILE_WIDTH) >> row) + slot) * HASH_LENGTH;
}
