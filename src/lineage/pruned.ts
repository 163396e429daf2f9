/**
 * Entries that were pruned: entry 0 stays, entries 1 to some number are no longer in the segments, and a later `gap:v1`
 * entry says so. Their hashes stay in the tiles, so the tree and every proof are as before. A hole that no entry of the
 * signed tree owns up to is damage.
 */
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { decodeUtf8, equalBytes, fromHex, toHex } from '../crypto/bytes.ts';
import { isJsonObject, parseStrictJson } from '../crypto/json.ts';
import { node } from '../crypto/node.ts';
import { replaceFile } from './durable.ts';
import { damaged } from './fault.ts';
import type { LogFault } from './fault.ts';
import type { LogLayout } from './layout.ts';
import { HASH_LENGTH, leafHash } from './merkle.ts';
import { readEntries, readEntry } from './read.ts';
import { draft } from './statement.ts';
import type { Draft } from './statement.ts';
import { TileReader } from './tiles/tile-files.ts';
import { TILE_WIDTH, tilePath } from './tiles/tile.ts';
import type { Tree } from './tree.ts';

/** What an entry says of a pruning. */
export interface Pruning {
  /** The `gap:v1` entry. */
  readonly entry: number;
  /** Entries 1 to `until` − 1 may be gone. */
  readonly until: number;
  /** The root of the tree of the first `until` entries. */
  readonly root: Uint8Array;
}

/** The draft of the entry that owns up to a pruning; it is durable before anything is dropped. */
export function pruningDraft({ until, root }: Pick<Pruning, 'until' | 'root'>): Draft {
  return draft('gap', randomUUID(), { cause: 'pruned', first: 1, root: toHex(root), until });
}

/**
 * The entry that owns up to a hole up to `until`. Throws `log_damaged` where none of this tree does, or where the tree's
 * root up to there was another one.
 */
export function checkPruned(layout: LogLayout, tree: Tree, until: number): Pruning {
  const pruning = findPruning(layout, tree, until);
  if (!pruning) throw missing(until);
  if (equalBytes(tree.hashOf({ start: 0, end: pruning.until }), pruning.root)) return pruning;
  throw damaged({
    index: 1,
    what: `the tiles of the pruned entries do not lead to the root in entry ${pruning.entry}`,
  });
}

/** The pruning up to `until` or beyond that an entry of this tree states: where the note says, else wherever it is. */
export function findPruning(layout: LogLayout, tree: Tree, until: number): Pruning | undefined {
  const noted = readNote(layout);
  const bytes = noted === undefined ? undefined : readEntry(layout.segments, noted);
  const found = bytes && noted !== undefined ? pruningIn(tree, noted, bytes) : undefined;
  if (found && found.until >= until) return found;
  for (const entry of readEntries(layout.segments, until)) {
    const pruning = pruningIn(tree, entry.seq, entry.bytes);
    if (pruning && pruning.until >= until) return pruning;
  }
  return undefined;
}

/** Notes which entry tells of the pruning, so that readers need not search for it. */
export function notePruning(layout: LogLayout, { entry }: Pruning): void {
  if (readNote(layout) !== entry) replaceFile(layout.pruned, `${entry}\n`);
}

/** The hole of a log, as a tree is to pass it. */
export interface Hole {
  readonly layout: LogLayout;
  /** The first entry after it. */
  readonly until: number;
  /** Called whenever the tree may have full tiles to take. */
  readonly onTiles: () => void;
}

/** Brings a tree of one entry past the hole, by the hashes in the tiles. Throws `log_damaged` where one is missing. */
export function passHole(tree: Tree, { layout: { directory }, until, onTiles }: Hole): void {
  const tiles = new TileReader(directory);
  for (let index = 0; tree.size < until; index++) {
    const address = { level: 0, index };
    const hashes = tiles.read(address);
    const start = index * TILE_WIDTH;
    if (!hashes)
      throw damaged({ index: Math.max(1, start), what: `${tilePath(address)} of pruned entries is missing` });
    for (let seq = tree.size; seq < Math.min(until, start + TILE_WIDTH); seq++)
      tree.push(hashes.slice((seq - start) * HASH_LENGTH, (seq - start + 1) * HASH_LENGTH));
    onTiles();
  }
}

const GAP = Buffer.from('{"cause":"pruned","entry":{"at":"');

function pruningIn(tree: Tree, seq: number, bytes: Uint8Array): Pruning | undefined {
  if (seq >= tree.size || !Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).includes(GAP))
    return undefined;
  const leaf = tree.hashOf({ start: seq, end: seq + 1 });
  return equalBytes(leafHash(node, bytes), leaf) ? parsePruning(seq, bytes) : undefined;
}

function parsePruning(entry: number, bytes: Uint8Array): Pruning | undefined {
  const statement = parseStrictJson(decodeUtf8(bytes) ?? '');
  if (!isJsonObject(statement) || statement['predicateType'] !== 'urn:writ:gap:v1') return undefined;
  const predicate = statement['predicate'];
  if (!isJsonObject(predicate) || predicate['cause'] !== 'pruned' || predicate['first'] !== 1)
    return undefined;
  const { until, root } = predicate;
  const hash = typeof root === 'string' ? fromHex(root) : undefined;
  return typeof until === 'number' && hash ? { entry, until, root: hash } : undefined;
}

function readNote({ pruned }: LogLayout): number | undefined {
  try {
    const [, seq] = /^(\d{1,15})\n$/.exec(readFileSync(pruned, 'utf8')) ?? [];
    return seq === undefined ? undefined : Number(seq);
  } catch {
    return undefined; // then it is searched for
  }
}

function missing(until: number): LogFault {
  return damaged({
    index: 1,
    what: `entries 1 to ${until - 1} are missing, and no entry says that they were pruned`,
  });
}
