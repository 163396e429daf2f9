import t from 'tap';
import type { TAP as Tap } from 'tap';
import { toBase64 } from '../../src/crypto/base64.ts';
import { fromHex, toHex } from '../../src/crypto/bytes.ts';
import { noble } from '../../src/crypto/noble.ts';
import { node } from '../../src/crypto/node.ts';
import { emptyRoot, Frontier, leafHash, splitPoint } from '../../src/lineage/merkle.ts';
import { rootOfInclusion, verifyConsistency } from '../../src/lineage/proof.ts';
import { Tree } from '../../src/lineage/tree.ts';
import { naivePath, naiveProof, naiveRoot } from './naive-tree.ts';

/** The eight entries of the Certificate Transparency reference tests, and the roots over the first 1 to 8 of them. */
const ENTRIES = [
  '',
  '00',
  '10',
  '2021',
  '3031',
  '40414243',
  '5051525354555657',
  '606162636465666768696a6b6c6d6e6f',
].map((hex) => fromHex(hex) ?? new Uint8Array(0));
const ROOTS = [
  '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
  'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
  'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
  'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
  '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
  '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
  'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
  '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
];

const SIZES = 100;
const leaves = Array.from({ length: SIZES }, (_, i) => Buffer.from(`entry ${i}`));
const noTiles = (): undefined => undefined;

function treeOf(entries: readonly Uint8Array[]): Tree {
  const tree = new Tree(node, noTiles);
  for (const entry of entries) tree.push(leafHash(node, entry));
  return tree;
}

function flipped(bytes: Uint8Array, at: number): Uint8Array {
  const copy = Uint8Array.from(bytes);
  copy[at] = (copy[at] ?? 0) ^ 1;
  return copy;
}

/** Every way to spoil a proof a little: each hash changed, dropped, doubled; one more; two swapped. */
function spoilt(hashes: readonly Uint8Array[]): readonly (readonly Uint8Array[])[] {
  const swapped = [...hashes.slice(1), ...hashes.slice(0, 1)];
  return [
    ...hashes.map((hash, i) => hashes.with(i, flipped(hash, i % 32))),
    ...hashes.map((_, i) => hashes.toSpliced(i, 1)),
    ...hashes.map((hash, i) => hashes.toSpliced(i, 0, hash)),
    [...hashes, new Uint8Array(32)],
    ...(hashes.length > 1 ? [swapped] : []),
  ];
}

t.test('the roots of the reference tests come out, from both suites', (t) => {
  for (const suite of [node, noble]) {
    t.equal(toBase64(emptyRoot(suite)), '47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=', 'the empty tree');
    const frontier = new Frontier(suite);
    for (const [i, entry] of ENTRIES.entries()) {
      frontier.push(leafHash(suite, entry));
      t.equal(toHex(frontier.root()), ROOTS[i], `${i + 1} entries`);
    }
  }
  t.end();
});

t.test('a tree splits at the largest power of two below its size', (t) => {
  const rows = [[2, 1], [3, 2], [4, 2], [5, 4], [8, 4], [9, 8], [2 ** 40 + 1, 2 ** 40]]; // prettier-ignore
  for (const [size = 0, split] of rows) t.equal(splitPoint(size), split, `size ${size}`);
  t.end();
});

t.test('every tree up to size 100 has the root and the inclusion proofs of RFC 6962', (t) => {
  for (let size = 1; size <= SIZES; size++) {
    const entries = leaves.slice(0, size);
    const tree = treeOf(entries);
    if (toHex(tree.root()) !== toHex(naiveRoot(entries))) t.fail(`root of ${size}`);
    for (let index = 0; index < size; index++) checkInclusion(t, tree, { entries, index });
  }
  t.pass(`${(SIZES * (SIZES + 1)) / 2} proofs`);
  t.end();
});

function checkInclusion(
  t: Pick<Tap, 'fail'>,
  tree: Tree,
  { entries, index }: { entries: readonly Uint8Array[]; index: number },
): void {
  const { size } = tree;
  const name = `leaf ${index} of ${size}`;
  const hashes = tree.inclusion(index);
  const wanted = naivePath(index, entries);
  if (Buffer.compare(Buffer.concat(hashes), Buffer.concat(wanted)) !== 0)
    t.fail(`${name}: other hashes than the RFC’s`);
  const leaf = leafHash(node, entries[index] ?? new Uint8Array(0));
  const root = tree.root();
  const leadsToRoot = (claim: object): boolean => {
    const found = rootOfInclusion(node, { index, size, leaf, hashes, ...claim });
    return found !== undefined && Buffer.compare(found, root) === 0;
  };
  if (!leadsToRoot({})) t.fail(`${name}: does not verify`);
  for (const bad of spoilt(hashes)) if (leadsToRoot({ hashes: bad })) t.fail(`${name}: verifies when spoilt`);
  for (const claim of [{ leaf: flipped(leaf, 3) }, { index: size }, { index: -1 }, { size: 2 * size }])
    if (leadsToRoot(claim)) t.fail(`${name}: verifies for ${Object.keys(claim).join()}`);
  if (size > 1 && leadsToRoot({ index: (index + 1) % size })) t.fail(`${name}: verifies for another index`);
}

t.test('every pair of sizes up to 100 has the consistency proof of RFC 6962', (t) => {
  const roots = leaves.map((_, i) => naiveRoot(leaves.slice(0, i + 1)));
  for (let newSize = 1; newSize <= SIZES; newSize++) {
    const entries = leaves.slice(0, newSize);
    const tree = treeOf(entries);
    for (let oldSize = 1; oldSize <= newSize; oldSize++) {
      const oldRoot = roots[oldSize - 1] ?? new Uint8Array(0);
      checkConsistency(t, tree, { entries, oldSize, oldRoot });
    }
  }
  t.pass('all of them');
  t.end();
});

function checkConsistency(
  t: Pick<Tap, 'fail'>,
  tree: Tree,
  { entries, oldSize, oldRoot }: { entries: readonly Uint8Array[]; oldSize: number; oldRoot: Uint8Array },
): void {
  const newSize = tree.size;
  const name = `${oldSize} to ${newSize}`;
  const hashes = tree.consistency(oldSize);
  const wanted = naiveProof(oldSize, entries);
  if (Buffer.compare(Buffer.concat(hashes), Buffer.concat(wanted)) !== 0) t.fail(`${name}: other hashes`);
  const claim = { oldSize, oldRoot, newSize, newRoot: tree.root(), hashes };
  const holds = (change: object): boolean => verifyConsistency(node, { ...claim, ...change });
  if (!holds({})) t.fail(`${name}: does not verify`);
  for (const bad of spoilt(hashes)) if (holds({ hashes: bad })) t.fail(`${name}: verifies when spoilt`);
  for (const change of [
    { oldRoot: flipped(oldRoot, 5) },
    { newRoot: flipped(claim.newRoot, 5) },
    { oldSize: 0 },
  ])
    if (holds(change)) t.fail(`${name}: verifies with another ${Object.keys(change).join()}`);
  if (oldSize < newSize && holds({ oldSize: newSize, newSize: oldSize }))
    t.fail(`${name}: verifies backwards`);
}
