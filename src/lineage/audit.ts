/**
 * Checks the batches of a log one after the other: positions, BLAKE2b chain, tree and heads. Both recovery and
 * `lineage verify` read a log through this. Knows no disk.
 */
import { hash } from 'node:crypto';
import { equalBytes } from '../crypto/bytes.ts';
import { node } from '../crypto/node.ts';
import { parseHead } from './checkpoint.ts';
import { HASH_LENGTH, leafHash } from './merkle.ts';
import { parseNote } from './note.ts';
import { findPosition } from './position.ts';
import type { Broken } from './read.ts';
import type { SegmentScan } from './scanned.ts';
import { entryAt, HEADER_LENGTH } from './segment.ts';
import type { Batch } from './segment.ts';
import type { Tree } from './tree.ts';

/** What is wrong with a log, and the first entry that cannot be trusted. */
export interface Damage {
  readonly index: number;
  readonly what: string;
}

/** `prev` of entry 0. */
export const NO_PREVIOUS = '0'.repeat(128);

/** BLAKE2b-512 of an entry, hex: `prev` of the next one. */
export function chainHash(entry: Uint8Array): string {
  return hash('blake2b512', entry, 'hex');
}

/** The state of an audit: everything up to `tree.size` is good, unless it has answered with damage. */
export class Audit {
  readonly tree: Tree;
  readonly #origin: string;
  /** Undefined after a hole: the entry before is gone, and what the next one says of it stands in the signed tree. */
  #prev: string | undefined = NO_PREVIOUS;

  constructor(origin: string, tree: Tree) {
    this.#origin = origin;
    this.tree = tree;
  }

  /** Goes on after `tree.size` entries that are known to be good; `prev` is the chain hash of the last one. */
  static resume({ origin, tree, prev }: { origin: string; tree: Tree; prev: string }): Audit {
    const audit = new Audit(origin, tree);
    audit.#prev = prev;
    return audit;
  }

  /** BLAKE2b-512 of the last entry, hex. */
  get prev(): string {
    return this.#prev ?? '';
  }

  /** The tree was brought past entries that are gone. */
  skipped(): void {
    this.#prev = undefined;
  }

  /** Takes the next intact batch. Its head's text is checked, its signature is the caller's business. */
  take(batch: Batch): Damage | undefined {
    const misframed = this.#misframed(batch);
    if (misframed) return { index: this.tree.size, what: misframed };
    let prev = this.#prevOf(batch);
    for (const [i, entry] of batch.entries.entries()) {
      if (!this.#fits(entry, batch.first + i, prev)) return this.#blame(batch);
      prev = chainHash(entry);
    }
    for (const entry of batch.entries) this.tree.push(leafHash(node, entry));
    this.#prev = prev;
    if (equalBytes(this.tree.root(), batch.root)) return undefined;
    return { index: batch.size - 1, what: 'the entries do not hash to the recorded root' };
  }

  /**
   * Takes entries that were scanned elsewhere. False where they do not follow, or do not hash to the recorded roots; then
   * this audit is of no more use. Calls back after each batch.
   */
  takeScan(
    scan: SegmentScan,
    onBatch: (head: { readonly size: number; readonly root: Uint8Array }) => void,
  ): boolean {
    if (this.#prev !== undefined && scan.prev !== this.#prev) return false;
    let at = 0;
    const next = (): Uint8Array => scan.hashes.slice(at, (at += HASH_LENGTH)); // the scan's memory is used again
    for (const size of scan.sizes) {
      while (this.tree.size < size) this.tree.push(next());
      const root = next();
      if (!equalBytes(this.tree.root(), root)) return false;
      onBatch({ size, root });
    }
    this.#prev = scan.chain;
    return true;
  }

  /** What is wrong with a batch that is not whole. */
  blame({ batch, bytes }: Broken): Damage {
    if (!batch) return this.#blameTorn(bytes);
    const misframed = this.#misframed(batch);
    return misframed ? { index: this.tree.size, what: misframed } : this.#blame(batch);
  }

  /** The end of the log where nothing more stands. */
  missing(): Damage {
    return { index: this.tree.size, what: 'entries are missing from here on' };
  }

  /** Walks the entries of a batch whose lengths do not fit, as far as they follow each other. */
  #blameTorn(bytes: Uint8Array): Damage {
    const first = this.tree.size;
    let [index, prev, at] = [first, this.prev, HEADER_LENGTH];
    let entry = entryAt(bytes, at);
    while (entry && this.#fits(entry, index, prev)) {
      prev = chainHash(entry);
      at += 2 + entry.length;
      index++;
      entry = entryAt(bytes, at);
    }
    const found = entry && findPosition(entry);
    const isAnother = found !== undefined && found.seq !== index;
    const what = 'a batch is cut short, or its lengths are wrong';
    return { index: isAnother ? index : Math.max(first, index - 1), what };
  }

  #misframed({ first, entries, size, root, head }: Batch): string | undefined {
    if (first !== this.tree.size) return `a batch that begins with entry ${first} stands here`;
    if (size !== first + entries.length) return 'a batch has another tree size than its entries give';
    const signed = parseHead(parseNote(head)?.text ?? '');
    if (signed?.origin !== this.#origin) return 'a batch carries no head of this log';
    if (signed.size !== size || !equalBytes(signed.root, root))
      return 'a batch carries the head of another tree';
    return undefined;
  }

  /** The chain hash that the batch's first entry must have: after a hole, the one that it has. */
  #prevOf({ entries: [first] }: Batch): string {
    return this.#prev ?? (first && findPosition(first)?.prev) ?? '';
  }

  #fits(entry: Uint8Array, seq: number, prev: string): boolean {
    const position = findPosition(entry);
    return position?.origin === this.#origin && position.seq === seq && position.prev === prev;
  }

  /**
   * Names the changed entry: one that was changed breaks the chain behind it, and one whose `prev` was changed breaks
   * the chain on both sides.
   */
  #blame(batch: Batch): Damage {
    const { entries, root, first } = batch;
    const prevs = [this.#prevOf(batch), ...entries.map(chainHash)];
    const misfit = entries.findIndex((entry, i) => !this.#fits(entry, first + i, prevs[i] ?? ''));
    if (misfit < 0) {
      return this.#hashTo(entries, root)
        ? { index: first, what: 'the framing of a batch was changed' }
        : { index: first + entries.length - 1, what: 'the entry was changed' };
    }
    const index = first + misfit;
    const found = findPosition(entries[misfit] ?? new Uint8Array(0));
    if (found?.origin !== this.#origin || found.seq !== index)
      return {
        index,
        what: found ? `entry ${found.seq} of ${found.origin} stands here` : 'no position in it',
      };
    const innocent = misfit > 0 && this.#onlyPrevIsOdd(entries, misfit, { root, prevs });
    return { index: innocent ? index - 1 : index, what: 'the entry was changed' };
  }

  /** Whether an entry that does not follow its predecessor is good itself, so that the predecessor was changed. */
  #onlyPrevIsOdd(
    entries: readonly Uint8Array[],
    misfit: number,
    { root, prevs }: { readonly root: Uint8Array; readonly prevs: readonly string[] },
  ): boolean {
    const next = entries[misfit + 1];
    if (next) return findPosition(next)?.prev === prevs[misfit + 1];
    const last = Buffer.from(entries[misfit] ?? []);
    const mended = Buffer.from(
      last.toString('latin1').replace(findPosition(last)?.prev ?? '', prevs[misfit] ?? ''),
      'latin1',
    );
    return !this.#hashTo([...entries.slice(0, misfit), mended], root);
  }

  #hashTo(entries: readonly Uint8Array[], root: Uint8Array): boolean {
    const frontier = this.tree.frontier();
    for (const entry of entries) frontier.push(leafHash(node, entry));
    return equalBytes(frontier.root(), root);
  }
}
