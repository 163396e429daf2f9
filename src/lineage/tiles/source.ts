/** Tiles and entry bundles of a log from its files: without a lock, while its sidecar runs. */
import { open, readFile } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { node } from '../../crypto/node.ts';
import { wasPruned } from '../hole.ts';
import { listSegments } from '../layout.ts';
import type { LogLayout, SegmentName } from '../layout.ts';
import { HASH_LENGTH, leafHash } from '../merkle.ts';
import { batchLength, HEADER_LENGTH, parseBatch, parseHeader, TRAILER_LENGTH } from '../segment.ts';
import type { Batch } from '../segment.ts';
import { Tile, TILE_WIDTH, tilePath } from './tile.ts';
import type { TileAddress } from './tile.ts';
import type { GiveTile } from './proof.ts';

const WINDOW = 1024 * 1024;

/** The first hashes of a tile from its file; undefined where the tile is not full yet, or its file is not right. */
export async function readFullTile(directory: string, address: TileAddress): Promise<Uint8Array | undefined> {
  const bytes = await readFile(join(directory, tilePath(address))).catch(() => undefined);
  return bytes?.length === TILE_WIDTH * HASH_LENGTH ? bytes : undefined;
}

/** All tiles of a log at rest: full ones from their files, others made anew from what is below them. */
export function tilesFromFiles(layout: LogLayout): GiveTile {
  const give: GiveTile = async (address, width) => {
    const full = await readFullTile(layout.directory, address);
    if (full) return full.subarray(0, width * HASH_LENGTH);
    return address.level === 0 ? leavesOf(layout, address.index, width) : above(give, address, width);
  };
  return give;
}

/** An entry bundle (c2sp.org/tlog-tiles): each entry after its length; undefined where the log has not so many entries. */
export async function readEntryBundle(
  layout: LogLayout,
  index: number,
  width: number,
): Promise<Uint8Array | undefined> {
  const entries = await entriesFrom(layout, index * TILE_WIDTH, width);
  if (entries.length < width) return undefined;
  const length = (entry: Uint8Array): Uint8Array => Uint8Array.of(entry.length >> 8, entry.length & 0xff);
  return Buffer.concat(entries.flatMap((entry) => [length(entry), entry]));
}

async function leavesOf(layout: LogLayout, index: number, width: number): Promise<Uint8Array | undefined> {
  const entries = await entriesFrom(layout, index * TILE_WIDTH, width);
  return entries.length < width ? undefined : Buffer.concat(entries.map((entry) => leafHash(node, entry)));
}

/** Hashes of a level are the roots of the full tiles below. */
async function above(
  give: GiveTile,
  { level, index }: TileAddress,
  width: number,
): Promise<Uint8Array | undefined> {
  const roots: Uint8Array[] = [];
  for (let i = 0; i < width; i++) {
    const below = { level: level - 1, index: index * TILE_WIDTH + i };
    const hashes = await give(below, TILE_WIDTH);
    if (!hashes) return undefined;
    roots.push(Tile.full(node, below, hashes).root(node));
  }
  return Buffer.concat(roots);
}

/** At most `count` entries from `from` on: fewer where the log ends, or breaks off. */
async function entriesFrom(layout: LogLayout, from: number, count: number): Promise<readonly Uint8Array[]> {
  const entries: Uint8Array[] = [];
  const names = listSegments(layout.segments);
  for (const [i, name] of names.entries()) {
    const until = names[i + 1]?.first ?? Number.MAX_SAFE_INTEGER;
    if (until <= from || entries.length === count) continue;
    if (name.first > from + entries.length) break; // archived: what comes after does not follow
    for await (const batch of batchesFrom(name, { from: from + entries.length, until })) {
      const skipped = Math.max(0, from + entries.length - batch.first);
      entries.push(...batch.entries.slice(skipped, skipped + count - entries.length));
      if (entries.length === count) break;
    }
  }
  return entries;
}

/**
 * The whole batches of a segment from the one that holds entry `from` on. Unlike `batchesOf` it reads without blocking:
 * the sidecar's main thread must be able to cut a call meanwhile.
 */
async function* batchesFrom(
  name: SegmentName,
  { from, until }: { readonly from: number; readonly until: number },
): AsyncGenerator<Batch, void> {
  const file = await openListed(name);
  if (!file) return;
  try {
    const window = new AsyncWindow(file);
    let offset = 0;
    for (let seq = name.first; seq < until;) {
      const header = parseHeader(await window.read(offset, HEADER_LENGTH));
      if (!header) return;
      const trailer = await window.read(offset + HEADER_LENGTH + header.entriesLength, TRAILER_LENGTH);
      if (trailer.length < TRAILER_LENGTH) return;
      const length = batchLength(header, trailer);
      seq = header.first + header.count;
      if (seq > from) {
        const batch = parseBatch(await window.read(offset, length), offset);
        if (!batch?.intact) return;
        yield batch;
      }
      offset += length;
    }
  } finally {
    await file.close();
  }
}

/** Undefined where the segment was pruned after it was listed. */
async function openListed(name: SegmentName): Promise<FileHandle | undefined> {
  try {
    return await open(name.path, 'r');
  } catch (cause) {
    if (wasPruned(name, cause)) return undefined;
    throw cause;
  }
}

/** A moving window over a file. What `read` gives is never overwritten. */
class AsyncWindow {
  readonly #file: FileHandle;
  #bytes: Buffer = Buffer.alloc(0);
  #start = 0;

  constructor(file: FileHandle) {
    this.#file = file;
  }

  /** At most `length` bytes: fewer at the end of the file. */
  async read(offset: number, length: number): Promise<Buffer> {
    const at = offset - this.#start;
    if (at >= 0 && at + length <= this.#bytes.length) return this.#bytes.subarray(at, at + length);
    const wanted = Buffer.alloc(Math.max(length, WINDOW));
    let done = 0;
    while (done < wanted.length) {
      const { bytesRead } = await this.#file.read(wanted, done, wanted.length - done, offset + done);
      if (bytesRead === 0) break;
      done += bytesRead;
    }
    this.#bytes = wanted.subarray(0, done);
    this.#start = offset;
    return this.#bytes.subarray(0, Math.min(length, done));
  }
}
