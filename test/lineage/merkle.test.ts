import t from 'tap';
import { toBase64 } from '../../src/crypto/base64.ts';
import { fromHex, toHex } from '../../src/crypto/bytes.ts';
import { noble } from '../../src/crypto/noble.ts';
import { node } from '../../src/crypto/node.ts';
import {
  consistencyRanges,
  emptyRoot,
  Frontier,
  inclusionRanges,
  leafHash,
  levelOf,
  nodeHash,
  splitPoint,
} from '../../src/lineage/merkle.ts';
import type { Range } from '../../src/lineage/merkle.ts';
import { rootOfInclusion, verifyConsistency } from '../../src/lineage/proof.ts';
import { checkEveryProof } from './every-proof.ts';

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

t.test('every proof of every tree up to size 300 is that of RFC 6962, and none holds when spoilt', (t) => {
  const few = checkEveryProof(40, true);
  t.strictSame(few.faults, [], `${few.proofs} proofs, spoilt in ${few.spoilt} ways`);
  const many = checkEveryProof(300, false);
  t.strictSame(many.faults, [], `${many.proofs} proofs, each spoilt in one way`);
  t.ok(few.spoilt > 40_000);
  t.match(many, { proofs: 300 * 301, spoilt: 300 * 301 });
  t.end();
});

const MOST = Number.MAX_SAFE_INTEGER;

/** The hash of a range, where those of `known` parts of it, which cover it, may be anything. */
function hashOver(known: readonly Range[], { start, end }: Range): Uint8Array {
  if (known.some((range) => range.start === start && range.end === end)) return made({ start, end });
  const middle = start + splitPoint(end - start);
  return nodeHash(node, hashOver(known, { start, end: middle }), hashOver(known, { start: middle, end }));
}

const made = ({ start, end }: Range): Uint8Array => node.sha256(Buffer.from(`${start} ${end}`));

t.test('proofs are right in trees of any size that a number can tell', (t) => {
  const sizes = [2, 2 ** 31 - 1, 2 ** 31, 2 ** 32, 2 ** 32 + 1, 2 ** 49 - 1, 2 ** 52 + 1, 2 ** 53 - 2];
  for (const size of sizes) {
    const ranges = consistencyRanges(size, MOST);
    const known = levelOf(size) === undefined ? ranges : [{ start: 0, end: size }, ...ranges];
    const claim = {
      oldSize: size,
      oldRoot: hashOver(known, { start: 0, end: size }),
      newSize: MOST,
      newRoot: hashOver(known, { start: 0, end: MOST }),
      hashes: ranges.map(made),
    };
    t.ok(verifyConsistency(node, claim), `${size} to ${MOST}`);
    t.notOk(verifyConsistency(node, { ...claim, oldSize: size - 1 }), `not ${size - 1}`);
    const leaf = { start: size - 1, end: size };
    const path = inclusionRanges(size - 1, MOST);
    const root = hashOver([leaf, ...path], { start: 0, end: MOST });
    const proven = rootOfInclusion(node, {
      index: size - 1,
      size: MOST,
      leaf: made(leaf),
      hashes: path.map(made),
    });
    t.strictSame(proven, root, `entry ${size - 1}`);
  }
  t.end();
});

t.test('a node has a power of two of leaves, exactly', (t) => {
  for (let level = 0; level < 53; level++) {
    t.equal(levelOf(2 ** level), level);
    if (level > 1)
      t.strictSame(
        [levelOf(2 ** level - 1), levelOf(2 ** level + 1)],
        [undefined, undefined],
        `beside ${level}`,
      );
  }
  t.equal(levelOf(MOST), undefined);
  t.end();
});
