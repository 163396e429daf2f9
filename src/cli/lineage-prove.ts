/** `writ lineage prove`. */
import type { Command } from 'commander';
import { toBase64 } from '../crypto/base64.ts';
import { equalBytes } from '../crypto/bytes.ts';
import { node } from '../crypto/node.ts';
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

/** Prints the proof of one entry: the running sidecar's, or one under the checkpoints on disk. */
export async function proveEntry(seq: number, command: Command): Promise<void> {
  const { settings } = requireSettings(command);
  const layout = layoutOf(settings.home);
  const { logKey } = readIdentity(layout);
  const proof = (await askRunning(settings.home, seq)) ?? (await proveFromFiles(layout, logKey, seq));
  if (proof === undefined)
    throw new CommandFailure(
      EXIT.no,
      `no checkpoint covers an entry ${seq} yet`,
      'A running sidecar proves its newest entries.',
    );
  const report = checked(layout, logKey, { seq, proof });
  if (!report) throw unable('the proof does not verify', 'See `writ lineage verify`.');
  const { output, json } = command.opts<{ output?: string; json?: boolean }>();
  writeResult(json ? `${JSON.stringify(report, null, 2)}\n` : proof, output);
}

async function askRunning(home: string, seq: number): Promise<string | undefined> {
  const running = readRunning(home);
  const reply = running && (await askPublic(running.admin, `/.well-known/writ/proof/${seq}`));
  return reply?.status === 200 ? reply.text : undefined;
}

/** The proof and its parts; undefined where it does not verify: nothing is handed out unchecked. */
function checked(
  layout: LogLayout,
  logKey: NoteKey,
  { seq, proof }: { readonly seq: number; readonly proof: string },
): object | undefined {
  const claim = parseProof(proof);
  const head = claim && verifyCheckpoint(node, claim.checkpoint, [logKey]);
  const entry = readEntry(layout.segments, seq);
  if (!claim || !head || !entry || claim.index !== seq) return undefined;
  const { hashes, checkpoint } = claim;
  const leaf = leafHash(node, entry);
  const root = rootOfInclusion(node, { index: seq, size: head.size, leaf, hashes });
  if (!root || !equalBytes(root, head.root)) return undefined;
  const { origin, size } = head;
  return {
    origin,
    index: seq,
    size,
    leaf: toBase64(leaf),
    root: toBase64(root),
    hashes: hashes.map(toBase64),
    checkpoint,
    proof,
  };
}
