/** `writ lineage prove`. */
import type { Command } from 'commander';
import { node } from '../crypto/node.ts';
import { equalBytes } from '../crypto/bytes.ts';
import { verifyCheckpoint } from '../lineage/checkpoint.ts';
import { readIdentity } from '../lineage/identity.ts';
import { layoutOf } from '../lineage/layout.ts';
import type { LogLayout } from '../lineage/layout.ts';
import { leafHash } from '../lineage/merkle.ts';
import type { NoteKey } from '../lineage/note.ts';
import { parseProof, rootOfInclusion } from '../lineage/proof.ts';
import { proveFromFiles } from '../lineage/prove.ts';
import { readEntry } from '../lineage/read.ts';
import { CommandFailure, EXIT, unable } from './exit.ts';
import { writeResult } from './result-file.ts';
import { askPublic, readRunning } from './running.ts';
import { requireSettings } from './settings-flags.ts';

/** Prints the proof of one entry: the running sidecar's, or one under the checkpoint on disk. */
export async function proveEntry(seq: number, command: Command): Promise<void> {
  const { settings } = requireSettings(command);
  const layout = layoutOf(settings.home);
  const { logKey } = readIdentity(layout);
  const proof = (await askRunning(settings.home, seq)) ?? proveFromFiles(layout, logKey, seq);
  if (proof === undefined)
    throw new CommandFailure(
      EXIT.no,
      `no checkpoint covers an entry ${seq} yet`,
      'A running sidecar proves its newest entries.',
    );
  if (!proves(layout, logKey, { seq, proof }))
    throw unable('the proof does not verify', 'See `writ lineage verify`.');
  writeResult(proof, command.opts()['output']);
}

async function askRunning(home: string, seq: number): Promise<string | undefined> {
  const running = readRunning(home);
  const reply = running && (await askPublic(running.admin, `/.well-known/writ/proof/${seq}`));
  return reply?.status === 200 ? reply.text : undefined;
}

/** Nothing is handed out unchecked. */
function proves(layout: LogLayout, logKey: NoteKey, { seq, proof }: { seq: number; proof: string }): boolean {
  const claim = parseProof(proof);
  const head = claim && verifyCheckpoint(node, claim.checkpoint, [logKey]);
  const entry = readEntry(layout.segments, seq);
  if (!claim || !head || !entry || claim.index !== seq) return false;
  const { hashes } = claim;
  const root = rootOfInclusion(node, { index: seq, size: head.size, leaf: leafHash(node, entry), hashes });
  return root !== undefined && equalBytes(root, head.root);
}
