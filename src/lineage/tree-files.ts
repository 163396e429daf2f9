/** A tree over a log's own tile files. What is not in them as it should be is made again from what lies below. */
import { node } from '../crypto/node.ts';
import type { LogLayout } from './layout.ts';
import { HASH_LENGTH, leafHash } from './merkle.ts';
import { readEntries } from './read.ts';
import { readTileFile } from './tiles/tile-files.ts';
import { Tile, TILE_WIDTH } from './tiles/tile.ts';
import type { TileAddress } from './tiles/tile.ts';
import { Tree } from './tree.ts';

/** An empty tree that reads its older nodes from this log's files. */
export function treeOn(layout: LogLayout): Tree {
  return new Tree(
    node,
    (address) => readTileFile(layout.directory, address),
    (address) => remake(layout, address),
  );
}

/** The hashes of a full tile, from entries or from the tiles below; undefined where those are not all there. */
function remake(layout: LogLayout, { level, index }: TileAddress): Uint8Array | undefined {
  const first = index * TILE_WIDTH;
  const hashes = level === 0 ? leavesFrom(layout, first) : rootsFrom(layout, level - 1, first);
  return hashes.length === TILE_WIDTH ? Buffer.concat(hashes, TILE_WIDTH * HASH_LENGTH) : undefined;
}

function leavesFrom({ segments }: LogLayout, first: number): readonly Uint8Array[] {
  const leaves: Uint8Array[] = [];
  for (const { seq, bytes } of readEntries(segments, first)) {
    if (seq !== first + leaves.length) break;
    leaves.push(leafHash(node, bytes));
    if (leaves.length === TILE_WIDTH) break;
  }
  return leaves;
}

function rootsFrom(layout: LogLayout, level: number, first: number): readonly Uint8Array[] {
  const roots: Uint8Array[] = [];
  for (let index = first; index < first + TILE_WIDTH; index++) {
    const address = { level, index };
    const hashes = readTileFile(layout.directory, address) ?? remake(layout, address);
    if (!hashes) break;
    roots.push(Tile.full(node, address, hashes).root(node));
  }
  return roots;
}
