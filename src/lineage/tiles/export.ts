/** Writes a log as static files (c2sp.org/tlog-tiles), to be served by any web server. */
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { equalBytes } from '../../crypto/bytes.ts';
import { node } from '../../crypto/node.ts';
import { makeMissing, replaceFile } from '../durable.ts';
import { damaged } from '../fault.ts';
import type { LogLayout } from '../layout.ts';
import type { Vouched } from '../replay.ts';
import { holeOf } from '../hole.ts';
import { TILE_WIDTH } from './tile.ts';
import { resourcePath, tilesOf } from './path.ts';
import type { TileResource } from './path.ts';
import { TiledTree, TileMissing } from './proof.ts';
import { readEntryBundle, tilesFromFiles } from './source.ts';

/** What to export, and where. */
export interface TilesExport {
  readonly layout: LogLayout;
  /** The checkpoint to export the tree of. */
  readonly head: Vouched;
  readonly directory: string;
  /** Whether to write entry bundles too: what agents called, for everyone who may read the folder. */
  readonly entries: boolean;
}

/** What was written anew, beside the checkpoint. What stood there already and was right is left alone. */
export interface TilesExported {
  readonly written: number;
  readonly kept: number;
  /** Entry bundles that cannot be made any more. */
  readonly pruned: number;
}

const PUBLIC_FILE = 0o644;
const PUBLIC_FOLDER = 0o755;

/**
 * Writes every tile of the head's tree and then its checkpoint, so that whoever reads the checkpoint finds the tiles.
 * Rejects with `LogFault` where the tiles do not lead to the checkpoint, and then writes none.
 */
export async function exportTiles(rules: TilesExport): Promise<TilesExported> {
  const { layout, head, directory, entries } = rules;
  const root = await new TiledTree(node, head.size, tilesFromFiles(layout)).root();
  if (!equalBytes(root, head.root))
    throw damaged({ index: head.size - 1, what: 'the tiles do not lead to the checkpoint' });
  makeMissing(directory, PUBLIC_FOLDER);
  let written = 0;
  let kept = 0;
  let pruned = 0;
  for (const tile of tilesOf(head.size)) {
    const bundle: TileResource = { ...tile, kind: 'entries' };
    for (const resource of entries && tile.address.level === 0 ? [tile, bundle] : [tile]) {
      const bytes = await bytesOf(rules, resource);
      if (!bytes && isPruned(rules, resource)) {
        pruned++;
        continue;
      }
      if (!bytes) throw new TileMissing(`${resourcePath(resource)} is missing`);
      if (put(join(directory, resourcePath(resource)), bytes)) written++;
      else kept++;
      if (resource.width === TILE_WIDTH)
        rmSync(join(directory, `${resourcePath(resource)}.p`), { recursive: true, force: true });
    }
  }
  replaceFile(join(directory, 'checkpoint'), head.note, PUBLIC_FILE);
  return { written, kept, pruned };
}

function bytesOf({ layout }: TilesExport, resource: TileResource): Promise<Uint8Array | undefined> {
  const { kind, address, width } = resource;
  return kind === 'tile'
    ? tilesFromFiles(layout)(address, width)
    : readEntryBundle(layout, address.index, width);
}

/** A bundle of which an entry was pruned. One that was exported before stays as it is. */
function isPruned({ layout }: TilesExport, { kind, address }: TileResource): boolean {
  return kind === 'entries' && address.index * TILE_WIDTH < (holeOf(layout) ?? 0);
}

/** Writes a file unless it is right already. */
function put(path: string, bytes: Uint8Array): boolean {
  if (isAlready(path, bytes)) return false;
  makeMissing(dirname(path), PUBLIC_FOLDER);
  writeFileSync(`${path}.tmp`, bytes, { mode: PUBLIC_FILE });
  renameSync(`${path}.tmp`, path);
  return true;
}

function isAlready(path: string, bytes: Uint8Array): boolean {
  try {
    return equalBytes(readFileSync(path), bytes);
  } catch {
    return false;
  }
}
