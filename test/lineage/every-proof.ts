/**
 * Every inclusion and consistency proof of every tree to a size, against the RFC's own definition, and each of them spoilt.
 * By hand, with every way of spoiling each proof: `node test/lineage/every-proof.ts 300`; the test takes one way for each.
 */
import { equalBytes } from '../../src/crypto/bytes.ts';
import { node } from '../../src/crypto/node.ts';
import { leafHash } from '../../src/lineage/merkle.ts';
import { rootOfInclusion, verifyConsistency } from '../../src/lineage/proof.ts';
import type { ConsistencyClaim, InclusionClaim } from '../../src/lineage/proof.ts';
import { Tree } from '../../src/lineage/tree.ts';
import { NaiveTree } from './naive-tree.ts';

/** What came of it: each fault is a sentence. */
export interface EveryProof {
  readonly proofs: number;
  readonly spoilt: number;
  readonly faults: readonly string[];
}

/** Checks trees of 1 to `sizes` leaves; each proof is spoilt in one way in turn, or in every way. */
export function checkEveryProof(sizes: number, everyWay: boolean): EveryProof {
  const entries = Array.from({ length: sizes }, (_, i) => Buffer.from(`entry ${i}`));
  const naive = new NaiveTree(entries);
  const tree = new Tree(node, () => undefined);
  const leaves = entries.map((entry) => leafHash(node, entry));
  const [faults, count] = [[] as string[], { proofs: 0, spoilt: 0 }];
  const check = (name: string, holds: boolean, bad: readonly Bad[]): void => {
    const chosen = everyWay ? bad : bad.slice(count.proofs % bad.length).slice(0, 1);
    count.proofs++;
    count.spoilt += chosen.length;
    if (!holds) faults.push(`${name}: does not verify`);
    for (const { how, accepted } of chosen) if (accepted()) faults.push(`${name}: verifies with ${how}`);
  };
  for (const [i, leaf] of leaves.entries()) {
    tree.push(leaf);
    const [size, root] = [i + 1, tree.root()];
    if (!equalBytes(root, naive.root(0, size))) faults.push(`root of ${size}`);
    for (let index = 0; index < size; index++) {
      const hashes = tree.inclusion(index);
      if (!same(hashes, naive.path(index, 0, size))) faults.push(`leaf ${index} of ${size}: other hashes`);
      const claim = { index, size, leaf: leaves[index] ?? leaf, hashes };
      check(`leaf ${index} of ${size}`, includes(claim, root), badInclusions(claim, root));
    }
    for (let oldSize = 1; oldSize <= size; oldSize++) {
      const hashes = tree.consistency(oldSize);
      if (!same(hashes, naive.proof(oldSize, size))) faults.push(`${oldSize} to ${size}: other hashes`);
      const claim = { oldSize, oldRoot: naive.root(0, oldSize), newSize: size, newRoot: root, hashes };
      check(`${oldSize} to ${size}`, verifyConsistency(node, claim), badConsistencies(claim));
    }
  }
  return { ...count, faults };
}

interface Bad {
  readonly how: string;
  readonly accepted: () => boolean;
}

function includes(claim: InclusionClaim, root: Uint8Array): boolean {
  const found = rootOfInclusion(node, claim);
  return found !== undefined && equalBytes(found, root);
}

function badInclusions(claim: InclusionClaim, root: Uint8Array): readonly Bad[] {
  const { index, size, leaf, hashes } = claim;
  const bad = (how: string, change: () => Partial<InclusionClaim>): Bad => ({ how, accepted: () => includes({ ...claim, ...change() }, root) }); // prettier-ignore
  return [
    ...spoilt(hashes).map(({ how, make }) => bad(how, () => ({ hashes: make() }))),
    bad('another leaf', () => ({ leaf: flipped(leaf, 3) })),
    bad('the next index', () => ({ index: index + 1 })),
    bad('the index before', () => ({ index: index - 1 })),
    bad('an index past the end', () => ({ index: size })),
    bad('twice the size', () => ({ size: 2 * size })),
    // The shape of a path says little about the size: where it is the same one, only the signature tells sizes apart.
    ...[size - 1, size + 1]
      .filter((other) => shape(index, other) !== shape(index, size))
      .map((other) => bad(`the size ${other}`, () => ({ size: other }))),
  ];
}

function badConsistencies(claim: ConsistencyClaim): readonly Bad[] {
  const { oldSize, oldRoot, newSize, newRoot, hashes } = claim;
  const bad = (how: string, change: () => Partial<ConsistencyClaim>): Bad => ({ how, accepted: () => verifyConsistency(node, { ...claim, ...change() }) }); // prettier-ignore
  return [
    ...spoilt(hashes).map(({ how, make }) => bad(how, () => ({ hashes: make() }))),
    bad('another old root', () => ({ oldRoot: flipped(oldRoot, 5) })),
    bad('another new root', () => ({ newRoot: flipped(newRoot, 5) })),
    bad('nothing as the old tree', () => ({ oldSize: 0 })),
    bad('the next old size', () => ({ oldSize: oldSize + 1 })),
    bad('the old size before', () => ({ oldSize: oldSize - 1 })),
    ...(oldSize < newSize
      ? [bad('the sizes exchanged', () => ({ oldSize: newSize, newSize: oldSize }))]
      : []),
    ...[newSize - 1, newSize + 1]
      .filter((other) => other < oldSize || shape(oldSize - 1, other) !== shape(oldSize - 1, newSize))
      .map((other) => bad(`the new size ${other}`, () => ({ newSize: other }))),
  ];
}

interface Spoiler {
  readonly how: string;
  readonly make: () => readonly Uint8Array[];
}

/** Each hash changed, dropped, doubled, exchanged with the next one; one more at either end; none. */
function spoilt(hashes: readonly Uint8Array[]): readonly Spoiler[] {
  const each = (
    how: string,
    make: (hash: Uint8Array, i: number) => readonly Uint8Array[],
  ): readonly Spoiler[] => hashes.map((hash, i) => ({ how: `hash ${i} ${how}`, make: () => make(hash, i) }));
  return [
    ...each('changed', (hash, i) => hashes.with(i, flipped(hash, i % 32))),
    ...each('dropped', (_, i) => hashes.toSpliced(i, 1)),
    ...each('doubled', (hash, i) => hashes.toSpliced(i, 0, hash)),
    ...each('exchanged', (hash, i) => hashes.toSpliced(i, 2, hashes[i + 1] ?? flipped(hash, 0), hash)),
    { how: 'a hash added', make: () => [...hashes, new Uint8Array(32)] },
    { how: 'a hash added in front', make: () => [new Uint8Array(32), ...hashes] },
    ...(hashes.length > 0 ? [{ how: 'no hashes', make: () => [] }] : []),
  ];
}

/** On which side each hash of a leaf's path stands, from the leaf upwards: RFC 6962 §2.1.1 read from the root down. */
function shape(index: number, size: number): string {
  if (index >= size) return 'none';
  if (size <= 1) return '';
  const k = 2 ** (Math.ceil(Math.log2(size)) - 1);
  return index < k ? `${shape(index, k)}r` : `${shape(index - k, size - k)}l`;
}

function flipped(bytes: Uint8Array, at: number): Uint8Array {
  return bytes.with(at, (bytes[at] ?? 0) ^ 1);
}

function same(a: readonly Uint8Array[], b: readonly Uint8Array[]): boolean {
  return a.length === b.length && a.every((hash, i) => equalBytes(hash, b[i] ?? new Uint8Array(0)));
}

if (import.meta.main) console.log(checkEveryProof(Number(process.argv[2] ?? 100), true));
