/**
 * Verifies a whole log from its files alone, without a lock and without any private key: `verifyLog` on this thread,
 * `verifyLargeLog` with the help of others. Both come to the same verdict.
 */
import { equalBytes, toHex } from '../crypto/bytes.ts';
import type { TreeHead } from './checkpoint.ts';
import { damaged, LogFault } from './fault.ts';
import { HoleWatch, whilePruned } from './hole.ts';
import type { LogLayout } from './layout.ts';
import type { NoteKey } from './note.ts';
import { readVouched, replay } from './replay.ts';
import type { Replayed, ReplayRules, Vouched } from './replay.ts';
import { replayScanned } from './replay-scanned.ts';
import type { Scanner } from './replay-scanned.ts';
import { TileReader } from './tiles/tile-files.ts';
import { TILE_WIDTH, tilePath } from './tiles/tile.ts';
import type { Tile } from './tiles/tile.ts';

/** What to verify, and against what. */
export interface LogVerification {
  readonly layout: LogLayout;
  readonly logKey: NoteKey;
  /** A head known from elsewhere (a denial, a witness): the log must have had exactly this tree. */
  readonly known?: TreeHead;
  /** Check the signature of every head; else of those that no later one covers: the checkpoint, all heads after it, the last one of each segment. */
  readonly everyHead?: boolean;
  /** Hears how many entries are good so far, and how many the checkpoint vouches for. */
  readonly onProgress?: (entries: number, vouched: number) => void;
}

/** A log without a fault: what was verified. */
export interface GoodLog {
  readonly ok: true;
  readonly origin: string;
  readonly size: number;
  /** Lowercase hex. */
  readonly root: string;
  readonly batches: number;
  /** Entries that the `checkpoint` file vouches for; those after it may be cut by the next start. */
  readonly vouched: number;
  /** Bytes after the last whole batch: one that is being written, or was torn by a crash. */
  readonly torn: number;
  /** Full tiles that are not there; the next start makes them again. */
  readonly missingTiles: number;
  /** Entries 1 to `until` − 1 were pruned, as `entry` says: only their hashes are there, not what was hashed. */
  readonly pruned?: { readonly until: number; readonly entry: number };
}

/** A log with a fault: its code, its sentence, and the first entry that cannot be trusted. */
export interface BadLog {
  readonly ok: false;
  readonly code: LogFault['code'];
  readonly message: string;
  readonly index: number | undefined;
}

/** Positions, chain, tree, heads, tiles, and the `checkpoint` file. Throws only what the file system throws. */
export function verifyLog(verification: LogVerification): GoodLog | BadLog {
  try {
    return whilePruned(verification.layout, () => new Verification(verification).run());
  } catch (cause) {
    return verdictOn(cause);
  }
}

/** The same; segments but the last one are read by `scan`, several at a time. */
export async function verifyLargeLog(
  verification: LogVerification,
  scan: Scanner,
): Promise<GoodLog | BadLog> {
  const watch = new HoleWatch(verification.layout);
  try {
    const good = await new Verification(verification).runWith(scan);
    if (good) return good;
  } catch (cause) {
    if (!watch.hasGrown()) return verdictOn(cause);
  }
  return watch.hasGrown() ? verifyLargeLog(verification, scan) : verifyLog(verification);
}

function verdictOn(cause: unknown): BadLog {
  if (!(cause instanceof LogFault) || cause.code === 'log_unreadable') throw cause; // no verdict on what nobody saw
  return { ok: false, code: cause.code, message: cause.message, index: cause.index };
}

class Verification {
  readonly #given: LogVerification;
  readonly #vouched: Vouched;
  readonly #tiles: TileReader;
  #batches = 0;
  #missingTiles = 0;
  #metKnown: boolean;

  constructor(given: LogVerification) {
    this.#given = given;
    this.#vouched = readVouched(given.layout, given.logKey);
    this.#tiles = new TileReader(given.layout.directory);
    this.#metKnown = given.known === undefined;
  }

  run(): GoodLog {
    return this.#judge(replay(this.#rules()));
  }

  /** Undefined where something is odd: `run` says what. */
  async runWith(scan: Scanner): Promise<GoodLog | undefined> {
    const replayed = await replayScanned(this.#rules(), scan);
    return replayed && this.#judge(replayed);
  }

  #rules(): ReplayRules {
    const { layout, logKey, everyHead = false } = this.#given;
    return {
      layout,
      logKey,
      everyHead,
      onTile: (tile) => this.#tile(tile),
      onBatch: ({ size, root }) => this.#batch({ origin: logKey.name, size, root }),
    };
  }

  #judge(replayed: Replayed): GoodLog {
    if (!this.#metKnown) throw this.#otherThanKnown(replayed.audit.tree.size);
    return this.#good(replayed);
  }

  #batch(head: TreeHead): void {
    const { known, onProgress } = this.#given;
    this.#batches++;
    if (head.size === known?.size) {
      if (head.origin !== known.origin || !equalBytes(head.root, known.root))
        throw this.#otherThanKnown(head.size);
      this.#metKnown = true;
    }
    onProgress?.(head.size, this.#vouched.size);
  }

  #tile(tile: Tile): void {
    const present = this.#tiles.read(tile.address);
    if (!present) this.#missingTiles++;
    else if (!equalBytes(present, tile.hashes())) {
      const index = tile.address.index * TILE_WIDTH ** (tile.address.level + 1);
      throw damaged({ index, what: `${tilePath(tile.address)} does not hold the hashes of the entries` });
    }
  }

  #good({ audit, tail, pruned }: Replayed): GoodLog {
    const { tree } = audit;
    return {
      ok: true,
      origin: this.#given.logKey.name,
      size: tree.size,
      root: toHex(tree.root()),
      batches: this.#batches,
      vouched: Math.min(tree.size, this.#vouched.size),
      torn: tail.length - tail.end,
      missingTiles: this.#missingTiles,
      ...(pruned && { pruned: { until: pruned.until, entry: pruned.by.entry } }),
    };
  }

  #otherThanKnown(size: number): LogFault {
    const known = this.#given.known?.size ?? 0;
    return new LogFault(
      'log_rolled_back',
      size < known
        ? `The log has ${size} entries, but the given checkpoint was signed over ${known}: its end was cut off.`
        : `The log never had the tree of the given checkpoint of ${known} entries: it was rewritten, or is another log.`,
      Math.min(size, known),
    );
  }
}
