/**
 * The mathematics of the Merkle tree (RFC 6962 §2.1, RFC 9162 §2.1), apart from any storage. Sizes and indexes are safe
 * integers; a hash is 32 bytes. Runs in browsers too.
 */
import type { Suite } from '../crypto/suite.ts';

/** Length of every hash of the tree, in bytes. */
export const HASH_LENGTH = 32;

/** The leaves `start` to `end − 1`; the hash of a range is the MTH over them (RFC 6962 §2.1). */
export interface Range {
  readonly start: number;
  readonly end: number;
}

/** SHA-256(0x00 ‖ entry). */
export function leafHash(suite: Suite, entry: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(1 + entry.length); // its first byte is 0x00
  bytes.set(entry, 1);
  return suite.sha256(bytes);
}

/** SHA-256(0x01 ‖ left ‖ right). */
export function nodeHash(suite: Suite, left: Uint8Array, right: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(1 + left.length + right.length);
  bytes[0] = 1;
  bytes.set(left, 1);
  bytes.set(right, 1 + left.length);
  return suite.sha256(bytes);
}

/** The root of the tree without leaves: SHA-256 of nothing. */
export function emptyRoot(suite: Suite): Uint8Array {
  return suite.sha256(new Uint8Array(0));
}

/** The largest power of two below `size` (≥ 2): where RFC 6962 splits. */
export function splitPoint(size: number): number {
  let power = 1;
  while (power * 2 < size) power *= 2;
  return power;
}

/** The level of the node over so many leaves (≥ 1), or undefined where no one node is. `Math.log2` alone rounds from 2^49 − 1 on. */
export function levelOf(leaves: number): number | undefined {
  const level = Math.round(Math.log2(leaves));
  return 2 ** level === leaves ? level : undefined;
}

/** The ranges whose hashes prove leaf `index` in a tree of `size`, leaf upwards: PATH(m, D[n]), RFC 6962 §2.1.1. */
export function inclusionRanges(index: number, size: number): readonly Range[] {
  const ranges: Range[] = [];
  let start = 0;
  let end = size;
  while (end - start > 1) {
    const middle = start + splitPoint(end - start);
    if (index < middle) {
      ranges.push({ start: middle, end });
      end = middle;
    } else {
      ranges.push({ start, end: middle });
      start = middle;
    }
  }
  return ranges.reverse();
}

/** The ranges whose hashes prove that the tree of `newSize` extends that of `oldSize` ≥ 1: PROOF(m, D[n]), RFC 6962 §2.1.2. */
export function consistencyRanges(oldSize: number, newSize: number): readonly Range[] {
  const ranges: Range[] = [];
  let start = 0;
  let end = newSize;
  while (end > oldSize) {
    const middle = start + splitPoint(end - start);
    if (oldSize <= middle) {
      ranges.push({ start: middle, end });
      end = middle;
    } else {
      ranges.push({ start, end: middle });
      start = middle;
    }
  }
  if (start > 0) ranges.push({ start, end });
  return ranges.reverse();
}

/**
 * The right edge of a growing tree: one hash for each complete subtree, as many as `size` has bits set. Enough to
 * append and to know the root; nothing else of the tree is kept.
 */
export class Frontier {
  readonly #suite: Suite;
  readonly #lefts: Uint8Array[];
  /** 0x01 ‖ left ‖ right, for one node after the other. */
  readonly #pair = new Uint8Array(1 + 2 * HASH_LENGTH);
  #size: number;

  constructor(suite: Suite, from?: Frontier) {
    this.#suite = suite;
    this.#pair[0] = 1;
    this.#lefts = from ? [...from.#lefts] : [];
    this.#size = from ? from.#size : 0;
  }

  /** The right edge of a tree of `size`, given a way to its complete nodes (level, index). */
  static resume(suite: Suite, size: number, nodeAt: (level: number, index: number) => Uint8Array): Frontier {
    const frontier = new Frontier(suite);
    frontier.#size = size;
    for (let level = 0, nodes = size; nodes > 0; level++, nodes = Math.floor(nodes / 2))
      if (nodes % 2 === 1) frontier.#lefts[level] = nodeAt(level, nodes - 1);
    return frontier;
  }

  get size(): number {
    return this.#size;
  }

  /** Appends a leaf hash and reports every node that it completes, from the leaf upwards, as (level, index, hash). */
  push(leaf: Uint8Array, onNode?: (level: number, index: number, hash: Uint8Array) => void): void {
    let hash = leaf;
    let level = 0;
    let index = this.#size++;
    onNode?.(level, index, hash);
    for (let left = this.#lefts[level]; index % 2 === 1 && left; left = this.#lefts[level]) {
      hash = this.#above(left, hash);
      level++;
      index = (index - 1) / 2;
      onNode?.(level, index, hash);
    }
    this.#lefts[level] = hash;
  }

  /** The root at the present size. */
  root(): Uint8Array {
    return this.rightEdge().at(-1)?.hash ?? emptyRoot(this.#suite);
  }

  /** The hashes of all ranges that end at the present size, shortest first; the last one is the whole tree. */
  rightEdge(): readonly { readonly start: number; readonly hash: Uint8Array }[] {
    const edge: { start: number; hash: Uint8Array }[] = [];
    let start = this.#size;
    let below: Uint8Array | undefined;
    for (let level = 0, width = 1; start > 0; level++, width *= 2) {
      const hash = this.#lefts[level];
      if (!hash || Math.floor(this.#size / width) % 2 === 0) continue;
      start -= width;
      below = below ? this.#above(hash, below) : hash;
      edge.push({ start, hash: below });
    }
    return edge;
  }

  /** `nodeHash`, without an allocation for each of the millions of nodes of a log that is verified. */
  #above(left: Uint8Array, right: Uint8Array): Uint8Array {
    this.#pair.set(left, 1);
    this.#pair.set(right, 1 + HASH_LENGTH);
    return this.#suite.sha256(this.#pair);
  }
}
