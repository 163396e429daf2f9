/** Makes an inclusion proof from the files alone, where no sidecar runs: under the checkpoint that they hold. */
import type { LogLayout } from './layout.ts';
import type { NoteKey } from './note.ts';
import { formatProof } from './proof.ts';
import { readVouched } from './replay.ts';
import { treeAt } from './resume.ts';

/** The tlog-proof of an entry, or undefined where the checkpoint does not cover it. Throws `LogFault`. */
export function proveFromFiles(layout: LogLayout, logKey: NoteKey, seq: number): string | undefined {
  const vouched = readVouched(layout, logKey);
  if (seq >= vouched.size) return undefined;
  const hashes = treeAt(layout, vouched).inclusion(seq);
  return formatProof({ index: seq, hashes, checkpoint: vouched.note });
}
