/** `writ lineage prove`. */
import type { Command } from 'commander';
import { toBase64 } from '../../crypto/base64.ts';
import { equalBytes } from '../../crypto/bytes.ts';
import { node } from '../../crypto/node.ts';
import { verifyCheckpoint } from '../../lineage/checkpoint.ts';
import { readIdentity } from '../../lineage/identity.ts';
import { layoutOf } from '../../lineage/layout.ts';
import type { LogLayout } from '../../lineage/layout.ts';
import { HASH_LENGTH, leafHash } from '../../lineage/merkle.ts';
import type { NoteKey } from '../../lineage/note.ts';
import { parseProof, rootOfInclusion } from '../../lineage/proof.ts';
import { proveFromFiles } from '../../lineage/prove.ts';
import { readEntry } from '../../lineage/read.ts';
import { TILE_WIDTH } from '../../lineage/tiles/tile.ts';
import { tilesFromFiles } from '../../lineage/tiles/source.ts';
import { CommandFailure, EXIT, unable } from '../exit.ts';
import { whyPruned } from './pruned.ts';
import { writeResult } from '../result-file.ts';
import { askPublic, readRunning } from '../running.ts';
import { err } from '../screen.ts';
import { requireSettings } from '../settings-flags.ts';

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
  const report = await checked(layout, logKey, { seq, proof });
  const pruned = whyPruned(layout, seq);
  if (pruned) err.line(err.paint('warn', `${pruned}; this proves its hash`));
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
async function checked(
  layout: LogLayout,
  logKey: NoteKey,
  { seq, proof }: { readonly seq: number; readonly proof: string },
): Promise<object | undefined> {
  const claim = parseProof(proof);
  const head = claim && verifyCheckpoint(node, claim.checkpoint, [logKey]);
  if (!claim || !head || claim.index !== seq) return undefined;
  const { hashes, checkpoint } = claim;
  const leaf = await leafOf(layout, seq);
  if (!leaf) return undefined;
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

/** Of the entry itself; of one that was pruned, from its tile. */
async function leafOf(layout: LogLayout, seq: number): Promise<Uint8Array | undefined> {
  const entry = readEntry(layout.segments, seq);
  if (entry) return leafHash(node, entry);
  const slot = seq % TILE_WIDTH;
  const tile = await tilesFromFiles(layout)({ level: 0, index: (seq - slot) / TILE_WIDTH }, slot + 1);
  return tile?.subarray(slot * HASH_LENGTH);
}
