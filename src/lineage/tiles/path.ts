/** Names of a log's static resources (c2sp.org/tlog-tiles): tiles and entry bundles, whole and partial. Portable. */
import { TILE_WIDTH, tilePath } from './tile.ts';
import type { TileAddress } from './tile.ts';

/** A tile (`level` ≥ 0) or an entry bundle, and how many hashes or entries of it are meant: 1 to 256. */
export interface TileResource {
  readonly kind: 'tile' | 'entries';
  /** 0 for an entry bundle. */
  readonly address: TileAddress;
  readonly width: number;
}

const SHAPE = /^tile\/(entries|0|[1-9]\d?)\/((?:x\d{3}\/){0,4}\d{3})(?:\.p\/([1-9]\d{0,2}))?$/;
const MAX_LEVEL = 63;

/** What this path (attacker-controlled, without a leading slash) names, or undefined. Every resource has one spelling. */
export function parseTilePath(path: string): TileResource | undefined {
  const [, level = '', groups = '', partial] = SHAPE.exec(path) ?? [];
  if (level === '' || groups.startsWith('x000')) return undefined;
  const address = {
    level: level === 'entries' ? 0 : Number(level),
    index: Number(groups.replace(/[x/]/g, '')),
  };
  const width = partial === undefined ? TILE_WIDTH : Number(partial);
  if (address.level > MAX_LEVEL || (partial !== undefined && width >= TILE_WIDTH)) return undefined;
  return { kind: level === 'entries' ? 'entries' : 'tile', address, width };
}

/** The path of a resource. */
export function resourcePath({ kind, address, width }: TileResource): string {
  const whole = tilePath(address);
  const path = kind === 'tile' ? whole : whole.replace(/^tile\/\d+/, 'tile/entries');
  return width === TILE_WIDTH ? path : `${path}.p/${width}`;
}

/** How many hashes the tile has in a tree of `size` leaves: 0 to 256. */
export function tileWidth({ level, index }: TileAddress, size: number): number {
  const nodes = Math.floor(size / TILE_WIDTH ** level);
  return Math.max(0, Math.min(TILE_WIDTH, nodes - index * TILE_WIDTH));
}

/** Every tile of a tree of `size` leaves, from the leaves upwards, partial ones with their width. */
export function* tilesOf(size: number): Generator<TileResource, void> {
  for (let level = 0, nodes = size; nodes > 0; level++, nodes = Math.floor(nodes / TILE_WIDTH))
    for (let index = 0; index * TILE_WIDTH < nodes; index++) {
      const address = { level, index };
      yield { kind: 'tile', address, width: tileWidth(address, size) };
    }
}
