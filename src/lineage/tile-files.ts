/** Full hash tiles as files (c2sp.org/tlog-tiles). They are derived from the entries and can be made again at any time. */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { replaceFile, syncDirectory, syncFile } from './durable.ts';
import { HASH_LENGTH } from './merkle.ts';
import { TILE_WIDTH, tilePath } from './tile.ts';
import type { Tile, TileAddress } from './tile.ts';

/** The tile's 8,192 bytes, or undefined where there is no such file or it has another length. */
export function readTileFile(directory: string, address: TileAddress): Uint8Array | undefined {
  try {
    const bytes = readFileSync(join(directory, tilePath(address)));
    return bytes.length === TILE_WIDTH * HASH_LENGTH ? bytes : undefined;
  } catch {
    return undefined;
  }
}

/** Writes a full tile in one step. Not synced: a lost tile is written again at the next start. */
export function writeTileFile(directory: string, tile: Tile): void {
  const path = join(directory, tilePath(tile.address));
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  writeFileSync(`${path}.tmp`, tile.hashes(), { mode: 0o600 });
  renameSync(`${path}.tmp`, path);
}

/** Writes a tile unless its file is right already. */
export function mendTileFile(directory: string, tile: Tile): void {
  const present = readTileFile(directory, tile.address);
  if (!present || Buffer.compare(present, tile.hashes()) !== 0) writeTileFile(directory, tile);
}

/** Leaves of a full tile, durable: from here on no entry is needed to make them again. */
export function secureTile(directory: string, index: number, leaves: Uint8Array): void {
  const address = { level: 0, index };
  const path = join(directory, tilePath(address));
  const present = readTileFile(directory, address);
  if (!present || Buffer.compare(present, leaves) !== 0) {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    return replaceFile(path, leaves);
  }
  syncFile(path);
  syncDirectory(dirname(path));
}
