/** The log on disk, as its one writer has it open. After a failure it acknowledges nothing any more. */
import { equalBytes } from '../crypto/bytes.ts';
import { node } from '../crypto/node.ts';
import { replaceFile } from './durable.ts';
import { damaged } from './fault.ts';
import { segmentFirst, segmentPath } from './layout.ts';
import { leafHash } from './merkle.ts';
import { findPosition } from './position.ts';
import { recover } from './recover.ts';
import type { LogRules } from './recover.ts';
import { batchesOf, readEntry } from './read.ts';
import { SegmentFile } from './segment-file.ts';
import type { Composer } from './composer.ts';
import type { Draft } from './statement.ts';
import { writeTileFile } from './tiles/tile-files.ts';
import { TILE_WIDTH } from './tiles/tile.ts';
import type { TileAddress } from './tiles/tile.ts';
import { tileWidth } from './tiles/path.ts';

/** What an append left on disk. The views are good until the next append. */
export interface Appended {
  readonly first: number;
  readonly entries: readonly Uint8Array[];
  /** Length of the batch in its segment. */
  readonly bytes: number;
}

/** What a log is opened with. */
export interface StoreRules extends LogRules {
  /** A segment that is this long, or whose first entry is this old, is followed by a new one. */
  readonly segmentBytes: number;
  readonly segmentSeconds: number;
}

/** A log opened for writing. The caller holds its lock. */
export class Store {
  readonly #rules: StoreRules;
  readonly #composer: Composer;
  #segment: SegmentFile;
  /** When the segment's first entry was written, Unix time in milliseconds; undefined while it is empty. */
  #begun: number | undefined;
  #head: string;
  #vouched: string;
  #failure: Error | undefined;

  /** Opens and, where its last writer did not close it, recovers the log. Throws `LogFault`. */
  constructor(rules: StoreRules) {
    const { composer, head, path, length } = recover(rules);
    this.#rules = rules;
    this.#composer = composer;
    this.#segment = SegmentFile.open(path, length);
    this.#begun = beginningOf(path);
    this.#head = head;
    this.#vouched = head;
  }

  /** Entries in it, all durable. */
  get size(): number {
    return this.#composer.tree.size;
  }

  /** The last released checkpoint: everything in it is durable. */
  get head(): string {
    return this.#head;
  }

  /** Why it stopped, once it has. */
  get failure(): Error | undefined {
    return this.#failure;
  }

  /** Writes drafts as one batch. Durable on return; a throw is for good. */
  append(drafts: readonly Draft[]): Appended {
    return this.#orFail(() => {
      const now = this.#rules.clock();
      if (this.#isSegmentOver(now)) this.#beginSegment();
      const { first, bytes, entries, head } = this.#composer.compose(drafts, now);
      this.#segment.append(bytes);
      for (const tile of this.#composer.tree.takeFullTiles())
        writeTileFile(this.#rules.layout.directory, tile);
      this.#begun ??= now;
      this.#head = head;
      return { first, entries, bytes: bytes.length };
    });
  }

  /** The inclusion proof of an entry at the released head, leaf upwards; undefined where there is no such entry. */
  inclusion(seq: number): readonly Uint8Array[] | undefined {
    return this.#isEntry(seq) ? this.#composer.tree.inclusion(seq) : undefined;
  }

  /** The first `width` hashes of a tile at the released head (c2sp.org/tlog-tiles); undefined where it has not so many. */
  tile(address: TileAddress, width: number): Uint8Array | undefined {
    if (this.#failure || width < 1 || width > tileWidth(address, this.size)) return undefined;
    const span = TILE_WIDTH ** address.level;
    const start = (i: number): number => (address.index * TILE_WIDTH + i) * span;
    const hash = (i: number): Uint8Array =>
      this.#composer.tree.hashOf({ start: start(i), end: start(i + 1) });
    return Buffer.concat(Array.from({ length: width }, (_, i) => hash(i)));
  }

  /** The bytes of an entry; undefined where there is none. Throws where they are not those that the tree has: they get signed. */
  entry(seq: number): Uint8Array | undefined {
    const entry = this.#isEntry(seq) ? readEntry(this.#rules.layout.segments, seq) : undefined;
    if (!entry) return undefined;
    const leaf = this.#composer.tree.hashOf({ start: seq, end: seq + 1 });
    if (equalBytes(leafHash(node, entry), leaf)) return entry;
    throw damaged({ index: seq, what: 'the entry is not the one that the signed tree has' });
  }

  /** It stops here, whatever else still works: something that everything after it rests on is broken. */
  fail(cause: unknown): void {
    this.#failure ??= cause instanceof Error ? cause : new Error(String(cause));
  }

  /** Brings the `checkpoint` file up to the released head. */
  vouch(): void {
    if (this.#vouched === this.#head) return;
    this.#orFail(() => {
      replaceFile(this.#rules.layout.checkpoint, this.#head);
      this.#vouched = this.#head;
    });
  }

  /** Vouches for all of it and closes. After a failure it throws that: recovery is the next start’s business. */
  close(): void {
    try {
      this.#orFail(() => this.vouch());
    } finally {
      this.#segment.close();
    }
  }

  #isEntry(seq: number): boolean {
    return !this.#failure && Number.isSafeInteger(seq) && seq >= 0 && seq < this.size;
  }

  #isSegmentOver(now: number): boolean {
    const { segmentBytes, segmentSeconds } = this.#rules;
    if (this.#segment.length >= segmentBytes) return true;
    return this.#begun !== undefined && now - this.#begun >= segmentSeconds * 1000;
  }

  /** A new segment begins only on vouched ground, so that a torn tail is always in the last one. */
  #beginSegment(): void {
    this.vouch();
    this.#segment.check();
    const next = SegmentFile.create(segmentPath(this.#rules.layout.segments, this.size));
    this.#segment.close();
    this.#segment = next;
    this.#begun = undefined;
  }

  #orFail<T>(work: () => T): T {
    if (this.#failure) throw this.#failure;
    try {
      return work();
    } catch (cause) {
      this.fail(cause);
      throw cause;
    }
  }
}

/** The time in a segment's first entry; undefined where it has none. */
function beginningOf(path: string): number | undefined {
  const first = segmentFirst(path);
  using batches = batchesOf({ path, first }, { until: first + 1 });
  const batch = batches.next();
  const entry = batch.done ? undefined : batch.value.entries[0];
  const at = entry && findPosition(entry)?.at;
  return at === undefined ? undefined : Date.parse(at);
}
