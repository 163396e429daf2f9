import t from 'tap';
import { equalBytes } from '../../../src/crypto/bytes.ts';
import { node } from '../../../src/crypto/node.ts';
import { isExtension } from '../../../src/lineage/consistency.ts';
import { leafHash } from '../../../src/lineage/merkle.ts';
import { rootOfInclusion } from '../../../src/lineage/proof.ts';
import { resourcePath, tilesOf } from '../../../src/lineage/tiles/path.ts';
import { TiledTree, TileMissing } from '../../../src/lineage/tiles/proof.ts';
import { Tree } from '../../../src/lineage/tree.ts';
import { readEntryBundle, tilesFromFiles } from '../../../src/lineage/tiles/source.ts';
import { splitEntries } from '../../../src/lineage/segment.ts';
import { readEntries } from '../../../src/lineage/read.ts';
import { scratchFolder } from '../scratch-folder.ts';
import { fill, makeScratchLog, openStore } from '../scratch-log.ts';
import { rmSync } from 'node:fs';
import { join } from 'node:path';

const leaf = (i: number): Uint8Array => leafHash(node, Buffer.from(`entry ${i}`));

t.test('roots and proofs from tiles are those of the tree', async (t) => {
  const full = new Map<string, Uint8Array>();
  const tree = new Tree(node, ({ level, index }) => full.get(`${level}/${index}`));
  const roots: Uint8Array[] = [tree.root()];
  for (let i = 0; i < 70_000; i++) {
    tree.push(leaf(i));
    for (const { address, hashes } of tree.takeFullTiles().map((tile) => ({ address: tile.address, hashes: tile.hashes() })))
      full.set(`${address.level}/${address.index}`, hashes.slice());
    if (i < 600 || i === 69_999) roots[i + 1] = tree.root();
  } // prettier-ignore
  const give = ({ level, index }: { level: number; index: number }, width: number): Promise<Uint8Array> => {
    const span = 256 ** level;
    const start = (i: number): number => (index * 256 + i) * span;
    const hashes = Array.from({ length: width }, (_, i) =>
      tree.hashOf({ start: start(i), end: start(i + 1) }),
    );
    return Promise.resolve(Buffer.concat(hashes));
  };
  for (const size of [1, 2, 3, 255, 256, 257, 511, 512, 600, 70_000]) {
    const tiled = new TiledTree(node, size, give);
    t.ok(equalBytes(await tiled.root(), roots[size] ?? Buffer.of()), `root of ${size}`);
    for (const index of [0, 1, size >> 1, size - 1].filter((i) => i < size)) {
      const hashes = await tiled.inclusion(index);
      const root = rootOfInclusion(node, { index, size, leaf: leaf(index), hashes });
      t.ok(root && equalBytes(root, roots[size] ?? Buffer.of()), `entry ${index} of ${size}`);
    }
    for (const old of [0, 1, 2, 3, 128, 255, 256, 257, 599, size].filter((old) => old <= size)) {
      const [oldRoot, newRoot] = [roots[old], roots[size]];
      if (!oldRoot || !newRoot) continue;
      const hashes = await tiled.consistency(old);
      t.ok(isExtension(node, { old: { size: old, root: oldRoot }, head: { size, root: newRoot }, hashes }), `${old} to ${size}`);
    }
  } // prettier-ignore
});

t.test('a tile that is missing or short is not worked around', async (t) => {
  const none = new TiledTree(node, 300, () => Promise.resolve(undefined));
  await t.rejects(none.root(), TileMissing);
  const short = new TiledTree(node, 300, (_, width) => Promise.resolve(Buffer.alloc(32 * width - 32)));
  await t.rejects(short.inclusion(7), TileMissing);
});

t.test('tiles and bundles come from the files of a log, also where tile files are lost', async (t) => {
  const log = makeScratchLog(join(scratchFolder(t), 'home'));
  const store = openStore(log, 100_000); // several segments
  fill(store, 299, 7);
  fill(store, 300, 9);
  const { head, size } = store;
  t.equal(size, 600);
  const root = Buffer.from(head.split('\n')[2] ?? '', 'base64');
  const entries = [...readEntries(log.layout.segments)].map(({ bytes }) => bytes);
  for (const lost of [false, true]) {
    if (lost) rmSync(join(log.layout.directory, 'tile'), { recursive: true });
    const give = tilesFromFiles(log.layout);
    t.ok(
      equalBytes(await new TiledTree(node, size, give).root(), root),
      lost ? 'without tile files' : 'root',
    );
    for (const { address, width } of tilesOf(size)) {
      const given = await give(address, width);
      const path = resourcePath({ kind: 'tile', address, width });
      t.ok(given && Buffer.compare(given, store.tile(address, width) ?? Buffer.of()) === 0, path);
      t.equal(store.tile(address, width + 1)?.length, undefined, `${path}: no more`);
    }
  }
  for (const [index, width] of [[0, 256], [1, 256], [2, 88], [2, 3]] as const) {
    const bundle = await readEntryBundle(log.layout, index, width);
    const found = splitEntries(bundle ?? Buffer.of(1)) ?? [];
    t.strictSame(found.map(String), entries.slice(index * 256, index * 256 + width).map(String), `${index}.p/${width}`);
  } // prettier-ignore
  t.equal(await readEntryBundle(log.layout, 2, 89), undefined, 'not more than there is');
  t.equal(await readEntryBundle(log.layout, 3, 1), undefined);
  store.close();
});
