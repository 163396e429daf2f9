/** Reads entries that the tree is known for: each is held against the leaf that the tree has of it. */
import { equalBytes } from '../crypto/bytes.ts';
import { damaged } from './fault.ts';
import { readIdentity } from './identity.ts';
import type { LogLayout } from './layout.ts';
import { LeafHasher } from './leaf-hasher.ts';
import { HASH_LENGTH } from './merkle.ts';
import { holeOf } from './hole.ts';
import { checkPruned } from './pruned.ts';
import { readEntries } from './read.ts';
import type { LogEntry } from './read.ts';
import { readVouched } from './replay.ts';
import { treeAt } from './resume.ts';
import { TILE_WIDTH } from './tiles/tile.ts';
import type { Tree } from './tree.ts';

/**
 * The entries of this tree from `from` on; those that were pruned, be it meanwhile, are passed over. Throws `log_damaged`
 * with the index of the first one that was changed or that is not there.
 */
export function* readProven(layout: LogLayout, tree: Tree, from: number): Generator<LogEntry, void> {
  const hasher = new LeafHasher();
  const leafOf = leavesAsHex(tree);
  let next = from;
  for (const entry of readEntries(layout.segments, from)) {
    if (next >= tree.size) return;
    if (next > 0 && entry.seq > next && entry.seq <= (holeOf(layout) ?? 0))
      next = checkPruned(layout, newest(layout, tree), entry.seq) && entry.seq;
    if (entry.seq !== next || hasher.hex(entry.bytes) !== leafOf(next))
      throw damaged({ index: next, what: 'the entry is not the one that the signed tree has' });
    yield entry;
    next++;
  }
  if (next < tree.size) throw damaged({ index: next, what: 'entries are missing from here on' });
}

/** The tree of the `checkpoint` file, where that has come further: what was pruned meanwhile, only that one tells. */
function newest(layout: LogLayout, tree: Tree): Tree {
  const head = readVouched(layout, readIdentity(layout).logKey);
  if (head.size <= tree.size) return tree;
  const newer = treeAt(layout, head);
  if (equalBytes(newer.hashOf({ start: 0, end: tree.size }), tree.root())) return newer;
  throw damaged({ index: tree.size - 1, what: 'the checkpoint was signed over other entries' });
}

/** Leaf hashes by number, a tile at a time: comparing hex is what costs Node least. */
function leavesAsHex(tree: Tree): (seq: number) => string {
  let [index, hex] = [-1, ''];
  return (seq) => {
    const slot = seq % TILE_WIDTH;
    const wanted = (seq - slot) / TILE_WIDTH;
    if (wanted !== index) [index, hex] = [wanted, Buffer.from(tree.leaves(wanted)).toString('hex')];
    return hex.slice(2 * HASH_LENGTH * slot, 2 * HASH_LENGTH * (slot + 1));
  };
}
