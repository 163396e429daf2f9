/**
 * A Merkle tree that grows (RFC 6962 §2.1). In memory are its right edge and the tiles being filled; older nodes are
 * read from full tiles, wherever they are kept, and each of those is held against the hash of it that the tree has.
 * Knows no disk.
 */
import { equalBytes } from '../crypto/bytes.ts';
import type { Suite } from '../crypto/suite.ts';
import {
  consistencyRanges,
  emptyRoot,
  Frontier,
  inclusionRanges,
  levelOf,
  nodeHash,
  splitPoint,
} from './merkle.ts';
import type { Range } from './merkle.ts';
import { locate, Tile, TILE_HEIGHT, TILE_WIDTH, tilePath } from './tiles/tile.ts';
import type { TileAddress } from './tiles/tile.ts';

/** Gives the 8,192 bytes of a full tile, or undefined where it is missing. */
export type ReadTile = (address: TileAddress) => Uint8Array | undefined;

/** Full tiles kept in memory beside the ones being filled, 16 KiB each. */
const RECENT_TILES = 32;

/** The tree of one log. */
export class Tree {
  readonly #suite: Suite;
  readonly #readTile: ReadTile;
  readonly #remakeTile: ReadTile;
  #frontier: Frontier;
  /** The tile being filled, for each tile level. */
  readonly #open: Tile[] = [];
  readonly #recent = new Map<string, Tile>();
  /** Its memory is for the next tile: a log of ten million entries has 640 MiB of them, one after the other. */
  #spare: Tile | undefined;
  #full: Tile[] = [];
  #edge: ReadonlyMap<number, Uint8Array> | undefined;

  /** `remakeTile` is asked where what `readTile` gave is missing or not of this tree. */
  constructor(suite: Suite, readTile: ReadTile, remakeTile: ReadTile = () => undefined) {
    this.#suite = suite;
    this.#readTile = readTile;
    this.#remakeTile = remakeTile;
    this.#frontier = new Frontier(suite);
  }

  /**
   * Makes an empty tree one of `size` leaves, a multiple of 256, from full tiles; false where one of them is missing. They
   * are believed only once a root that was reached from here is a signed one.
   */
  resume(size: number): boolean {
    for (let level = 1, hashes = Math.floor(size / TILE_WIDTH); hashes > 0; level++) {
      if (!this.#reopen(level, hashes)) return false;
      hashes = Math.floor(hashes / TILE_WIDTH);
    }
    this.#frontier = Frontier.resume(this.#suite, size, (level, index) => this.#node(level, index));
    return true;
  }

  get size(): number {
    return this.#frontier.size;
  }

  /** Appends a leaf hash. */
  push(leaf: Uint8Array): void {
    this.#edge = undefined;
    this.#frontier.push(leaf, (level, index, hash) => this.#keep(level, index, hash));
  }

  root(): Uint8Array {
    return this.#frontier.root();
  }

  /** A copy of the right edge, to try out leaves on. */
  frontier(): Frontier {
    return new Frontier(this.#suite, this.#frontier);
  }

  /** The tiles that became full since the last call, good until the next push: write them once their entries are durable. */
  takeFullTiles(): readonly Tile[] {
    const full = this.#full;
    this.#full = [];
    return full;
  }

  /** The inclusion proof of leaf `index` at the present size, leaf upwards. Throws where a tile is missing. */
  inclusion(index: number): readonly Uint8Array[] {
    return inclusionRanges(index, this.size).map((range) => this.hashOf(range));
  }

  /** The consistency proof from `oldSize` ≥ 1 to the present size. Throws where a tile is missing. */
  consistency(oldSize: number): readonly Uint8Array[] {
    return consistencyRanges(oldSize, this.size).map((range) => this.hashOf(range));
  }

  /** The leaf hashes of tile `index`, 32 bytes each; zeros after the last leaf. A view. Throws where the tile is missing. */
  leaves(index: number): Uint8Array {
    return this.#tile({ level: 0, index }).hashes();
  }

  /** The Merkle tree hash of any range of the tree that RFC 6962 names. Throws where a tile is missing. */
  hashOf({ start, end }: Range): Uint8Array {
    if (end === start) return emptyRoot(this.#suite);
    const edge = end === this.size ? this.#edgeFrom(start) : undefined;
    if (edge) return edge;
    const level = levelOf(end - start);
    if (level !== undefined) return this.#node(level, start / (end - start));
    const middle = start + splitPoint(end - start);
    return nodeHash(this.#suite, this.hashOf({ start, end: middle }), this.hashOf({ start: middle, end }));
  }

  /** Fills the open tile of a level, which has had so many hashes, from the full tiles below it. */
  #reopen(level: number, hashes: number): boolean {
    const open = new Tile({ level, index: Math.floor(hashes / TILE_WIDTH) });
    const first = open.address.index * TILE_WIDTH;
    for (let index = first; index < hashes; index++) {
      const address = { level: level - 1, index };
      const below = this.#readTile(address);
      if (!below) return false;
      open.append(this.#suite, index - first, Tile.full(this.#suite, address, below).root(this.#suite));
    }
    this.#open[level] = open;
    return true;
  }

  #edgeFrom(start: number): Uint8Array | undefined {
    this.#edge ??= new Map(this.#frontier.rightEdge().map((part) => [part.start, part.hash]));
    return this.#edge.get(start);
  }

  #keep(level: number, index: number, hash: Uint8Array): void {
    const place = locate(level, index);
    let tile = this.#open[place.level];
    if (tile?.address.index !== place.index) {
      tile = new Tile({ level: place.level, index: place.index }, this.#spare);
      this.#spare = undefined;
      this.#open[place.level] = tile;
    }
    tile.set(place.row, place.slot, hash);
    if (place.row > 0 || place.slot < TILE_WIDTH - 1) return;
    this.#full.push(tile);
    this.#remember(tile);
  }

  #node(level: number, index: number): Uint8Array {
    const { row, slot, ...address } = locate(level, index);
    return this.#tile(address).get(row, slot);
  }

  #tile(address: TileAddress): Tile {
    const open = this.#open[address.level];
    return open?.address.index === address.index ? open : this.#fullTile(address);
  }

  #fullTile(address: TileAddress): Tile {
    const known = this.#recent.get(keyOf(address));
    if (known) return known;
    const above = this.#node(TILE_HEIGHT * (address.level + 1), address.index);
    for (const read of [this.#readTile, this.#remakeTile]) {
      const hashes = read(address);
      const tile = hashes && Tile.full(this.#suite, address, hashes);
      if (tile && equalBytes(tile.root(this.#suite), above)) return this.#remember(tile);
    }
    throw new Error(`${tilePath(address)} is missing, or does not hold the hashes of this tree`);
  }

  #remember(tile: Tile): Tile {
    const [oldest] = this.#recent.size >= RECENT_TILES ? this.#recent.values() : [];
    if (oldest) this.#forget(oldest);
    this.#recent.set(keyOf(tile.address), tile);
    return tile;
  }

  #forget(tile: Tile): void {
    this.#recent.delete(keyOf(tile.address));
    if (!this.#open.includes(tile) && !this.#full.includes(tile)) this.#spare = tile;
  }
}

function keyOf({ level, index }: TileAddress): string {
  return `${level}/${index}`;
}
