/**
 * A log's state at its `checkpoint` file without reading the log: the tree from its tiles, the last entries from their
 * segment. It is believed because its root is the signed one; where it is not, nothing is resumed, and the whole log has
 * to be read.
 */
import { equalBytes } from '../crypto/bytes.ts';
import { node } from '../crypto/node.ts';
import { Audit, chainHash } from './audit.ts';
import type { TreeHead } from './checkpoint.ts';
import { damaged, LogFault } from './fault.ts';
import type { LogLayout } from './layout.ts';
import { leafHash } from './merkle.ts';
import { holeOf, whilePruned } from './hole.ts';
import { passHole } from './pruned.ts';
import { readEntries } from './read.ts';
import { TILE_WIDTH } from './tiles/tile.ts';
import { treeOn } from './tree-files.ts';
import type { Tree } from './tree.ts';

/** The audit of a log up to a head that its key signed; undefined where tiles or entries do not lead to it. */
export function resume(layout: LogLayout, head: TreeHead): Audit | undefined {
  const from = Math.floor((head.size - 1) / TILE_WIDTH) * TILE_WIDTH;
  const tree = treeOn(layout);
  const last = tree.resume(from) ? pushEntries(tree, layout, head.size) : undefined;
  return last && equalBytes(tree.root(), head.root)
    ? Audit.resume({ origin: head.origin, tree, prev: chainHash(last) })
    : undefined;
}

/** The tree of a head that the log's key signed: resumed, or from every entry. Throws `log_damaged`. */
export function treeAt(layout: LogLayout, head: TreeHead): Tree {
  return resume(layout, head)?.tree ?? whilePruned(layout, () => treeFromEntries(layout, head));
}

function treeFromEntries(layout: LogLayout, head: TreeHead): Tree {
  const tree = treeOn(layout);
  const hole = holeOf(layout);
  for (const { seq, bytes } of readEntries(layout.segments)) {
    if (seq === hole && tree.size === 1)
      passHole(tree, { layout, until: hole, onTiles: () => tree.takeFullTiles() });
    if (seq !== tree.size || tree.size === head.size) break;
    tree.push(leafHash(node, bytes));
    tree.takeFullTiles();
  }
  if (equalBytes(tree.root(), head.root)) return tree;
  throw damaged({
    index: Math.min(tree.size, head.size) - 1,
    what: 'the entries are not those of the checkpoint; `writ lineage verify` says which one',
  });
}

/** Brings the tree up to `size` entries; answers the last one, or undefined where they are not to be had. */
function pushEntries(tree: Tree, { segments }: LogLayout, size: number): Uint8Array | undefined {
  try {
    for (const { seq, bytes } of readEntries(segments, tree.size)) {
      if (seq !== tree.size) return undefined;
      tree.push(leafHash(node, bytes));
      if (tree.size === size) return bytes;
    }
    return undefined;
  } catch (cause) {
    if (cause instanceof LogFault) return undefined;
    throw cause;
  }
}
