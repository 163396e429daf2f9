import t from 'tap';
import { toHex } from '../../src/crypto/bytes.ts';
import { node } from '../../src/crypto/node.ts';
import { Frontier, leafHash, nodeHash } from '../../src/lineage/merkle.ts';
import { rootOfInclusion, verifyConsistency } from '../../src/lineage/proof.ts';
import { tilePath } from '../../src/lineage/tiles/tile.ts';
import { Tree } from '../../src/lineage/tree.ts';

const leafOf = (index: number): Uint8Array => leafHash(node, Buffer.from(String(index)));

/** A tree whose full tiles are in a map, as on disk. */
function grown(size: number): { tree: Tree; tiles: Map<string, Uint8Array>; roots: Map<number, Uint8Array> } {
  const tiles = new Map<string, Uint8Array>();
  const roots = new Map<number, Uint8Array>();
  const tree = new Tree(node, (address) => tiles.get(tilePath(address)));
  for (let i = 0; i < size; i++) {
    tree.push(leafOf(i));
    for (const tile of tree.takeFullTiles())
      tiles.set(tilePath(tile.address), Uint8Array.from(tile.hashes()));
    if (i % 4099 === 0 || i >= size - 2) roots.set(i + 1, tree.root());
  }
  return { tree, tiles, roots };
}

t.test('a tree over many tiles proves its old leaves from tiles', (t) => {
  const size = 70_000;
  const { tree, tiles, roots } = grown(size);
  const frontier = new Frontier(node);
  for (let i = 0; i < size; i++) frontier.push(leafOf(i));
  t.equal(toHex(tree.root()), toHex(frontier.root()));
  t.equal(tiles.size, 273 + 1, '273 tiles of leaves, one above them');
  for (const index of [0, 1, 255, 256, 257, 4095, 65_535, 65_536, 69_887, 69_888, 69_999]) {
    const root = rootOfInclusion(node, { index, size, leaf: leafOf(index), hashes: tree.inclusion(index) });
    t.equal(root && toHex(root), toHex(tree.root()), `leaf ${index}`);
  }
  for (const [oldSize, oldRoot] of roots) {
    const claim = {
      oldSize,
      oldRoot,
      newSize: size,
      newRoot: tree.root(),
      hashes: tree.consistency(oldSize),
    };
    if (!verifyConsistency(node, claim)) t.fail(`from ${oldSize}`);
  }
  t.end();
});

t.test('a tile holds 256 neighbouring hashes of its level', (t) => {
  const { tiles } = grown(65_536);
  const first = tiles.get('tile/0/000');
  t.equal(first && toHex(first.subarray(32 * 7, 32 * 8)), toHex(leafOf(7)));
  const subtree = new Frontier(node);
  for (let i = 0; i < 256; i++) subtree.push(leafOf(512 + i));
  const above = tiles.get('tile/1/000');
  t.equal(
    above && toHex(above.subarray(64, 96)),
    toHex(subtree.root()),
    'the third hash is over the third tile',
  );
  t.end();
});

t.test('tile paths are those of c2sp.org/tlog-tiles', (t) => {
  const rows: [number, number, string][] = [
    [0, 0, 'tile/0/000'],
    [0, 999, 'tile/0/999'],
    [1, 1000, 'tile/1/x001/000'],
    [0, 1_234_067, 'tile/0/x001/x234/067'],
  ];
  for (const [level, index, path] of rows) t.equal(tilePath({ level, index }), path);
  t.end();
});

t.test('a proof that needs a missing tile throws', (t) => {
  const tree = new Tree(node, () => undefined);
  for (let i = 0; i < 256 * 40; i++) tree.push(leafOf(i));
  t.throws(() => tree.inclusion(3), { message: /tile\/0\/000 is missing/ });
  t.end();
});

t.test('full tiles that nobody took yet are kept as they are, however many', (t) => {
  const tree = new Tree(node, () => undefined);
  for (let i = 0; i < 256 * 40 + 1; i++) tree.push(leafOf(i));
  const full = tree.takeFullTiles();
  t.equal(full.length, 40);
  const wrong = full.filter(
    (tile, i) => tile.address.index !== i || toHex(tile.get(0, 255)) !== toHex(leafOf(256 * i + 255)),
  );
  t.strictSame(wrong, []);
  t.end();
});

t.test('a frontier can be copied to try out leaves on it', (t) => {
  const frontier = new Frontier(node);
  frontier.push(leafOf(0));
  const copy = new Frontier(node, frontier);
  copy.push(leafOf(1));
  t.equal(toHex(frontier.root()), toHex(leafOf(0)));
  t.equal(toHex(copy.root()), toHex(nodeHash(node, leafOf(0), leafOf(1))));
  t.end();
});
