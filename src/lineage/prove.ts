/** Makes an inclusion proof from the files alone, where no sidecar runs: under the checkpoint that they hold. */
import { equalBytes } from '../crypto/bytes.ts';
import { node } from '../crypto/node.ts';
import { damaged } from './fault.ts';
import type { LogLayout } from './layout.ts';
import { leafHash } from './merkle.ts';
import type { NoteKey } from './note.ts';
import { formatProof } from './proof.ts';
import { readEntries } from './read.ts';
import { readVouched } from './replay.ts';
import { readTileFile } from './tile-files.ts';
import { Tree } from './tree.ts';

/** The tlog-proof of an entry, or undefined where the checkpoint does not cover it. Throws `LogFault`. */
export function proveFromFiles(layout: LogLayout, logKey: NoteKey, seq: number): string | undefined {
  const { size, root, note } = readVouched(layout, logKey);
  if (seq >= size) return undefined;
  const tree = new Tree(node, (address) => readTileFile(layout.directory, address));
  for (const { bytes } of readEntries(layout.segments)) {
    tree.push(leafHash(node, bytes));
    tree.takeFullTiles();
    if (tree.size === size) break;
  }
  if (!equalBytes(tree.root(), root))
    throw damaged({
      index: Math.min(tree.size, size) - 1,
      what: 'the entries are not those of the checkpoint',
    });
  return formatProof({ index: seq, hashes: tree.inclusion(seq), checkpoint: note });
}
