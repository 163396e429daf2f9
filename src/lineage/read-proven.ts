/** Reads entries that the tree is known for: each is held against the leaf that the tree has of it. */
import { damaged } from './fault.ts';
import type { LogLayout } from './layout.ts';
import { LeafHasher } from './leaf-hasher.ts';
import { HASH_LENGTH } from './merkle.ts';
import { checkPruned, holeOf } from './pruned.ts';
import { readEntries } from './read.ts';
import type { LogEntry } from './read.ts';
import { TILE_WIDTH } from './tile.ts';
import type { Tree } from './tree.ts';

/**
 * The entries of this tree from `from` on; those that were pruned are passed over. Throws `log_damaged` with the index of the first one that was changed or that
 * is not there.
 */
export function* readProven(layout: LogLayout, tree: Tree, from: number): Generator<LogEntry, void> {
  const hasher = new LeafHasher();
  const leafOf = leavesAsHex(tree);
  let next = from;
  for (const entry of readEntries(layout.segments, from)) {
    if (next >= tree.size) return;
    if (next > 0 && entry.seq > next && entry.seq === holeOf(layout))
      next = checkPruned(layout, tree, entry.seq) && entry.seq;
    if (entry.seq !== next || hasher.hex(entry.bytes) !== leafOf(next))
      throw damaged({ index: next, what: 'the entry is not the one that the signed tree has' });
    yield entry;
    next++;
  }
  if (next < tree.size) throw damaged({ index: next, what: 'entries are missing from here on' });
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
