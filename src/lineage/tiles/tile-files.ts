/** Full hash tiles as files (c2sp.org/tlog-tiles). They are derived from the entries and can be made again at any time. */
import { closeSync, mkdirSync, openSync, readSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { replaceFile, syncDirectory, syncFile } from '../durable.ts';
import { HASH_LENGTH } from '../merkle.ts';
import { TILE_WIDTH, tilePath } from './tile.ts';
import type { Tile, TileAddress } from './tile.ts';

const TILE_BYTES = TILE_WIDTH * HASH_LENGTH;

/** The tile's 8,192 bytes, or undefined where there is no such file or it has another length. */
export function readTileFile(directory: string, address: TileAddress): Uint8Array | undefined {
  return new TileReader(directory).read(address);
}

/** Reads one tile after the other into the same memory. */
export class TileReader {
  readonly #directory: string;
  /** One byte more than a tile has, to notice a longer file. */
  readonly #room = new Uint8Array(TILE_BYTES + 1);

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** As `readTileFile`; a view until the next read. */
  read(address: TileAddress): Uint8Array | undefined {
    try {
      const fd = openSync(join(this.#directory, tilePath(address)), 'r');
      try {
        return readSync(fd, this.#room) === TILE_BYTES ? this.#room.subarray(0, TILE_BYTES) : undefined;
      } finally {
        closeSync(fd);
      }
    } catch {
      return undefined;
    }
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

/**
 * The leaf hashes of tiles 0 to `count` − 1, durable with the names of their files and folders: from here on no entry is
 * needed to make them again.
 */
export function secureTiles(directory: string, count: number, leaves: (index: number) => Uint8Array): void {
  const folders = new Set<string>();
  for (let index = 0; index < count; index++) {
    const path = secureTile(directory, index, leaves(index));
    for (let above = dirname(path); above.length >= directory.length; above = dirname(above))
      folders.add(above);
  }
  for (const folder of folders) syncDirectory(folder);
}

function secureTile(directory: string, index: number, leaves: Uint8Array): string {
  const address = { level: 0, index };
  const path = join(directory, tilePath(address));
  const present = readTileFile(directory, address);
  if (present && Buffer.compare(present, leaves) === 0) syncFile(path);
  else {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    replaceFile(path, leaves);
  }
  return path;
}
