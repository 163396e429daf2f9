/**
 * Before a log is opened for writing: what do its witnesses remember of it? A home that was restored from a backup is
 * found out here, before it signs anything that contradicts what it signed before.
 */
import { node } from '../../crypto/node.ts';
import { LogFault } from '../fault.ts';
import { readIdentity } from '../identity.ts';
import { listSegments } from '../layout.ts';
import type { LogLayout } from '../layout.ts';
import { readVouched } from '../replay.ts';
import { sizeAtEnd } from '../segment-end.ts';
import { TiledTree } from '../tiles/proof.ts';
import { tilesFromFiles } from '../tiles/source.ts';
import { askWitness } from './client.ts';
import type { Post, WitnessTarget } from './client.ts';
import type { Disagreement } from './rounds.ts';

/** Who is asked about which log. */
export interface Recall {
  readonly layout: LogLayout;
  readonly targets: readonly WitnessTarget[];
  readonly post: Post;
}

/**
 * Asks every witness about the checkpoint on disk; those that nobody answers for are passed over. Rejects with `LogFault`
 * (`log_rolled_back`) where one remembers more than is on disk, or another past, and nothing was signed then.
 */
export async function recallLog({ layout, targets, post }: Recall): Promise<void> {
  const vouched = readVouched(layout, readIdentity(layout).logKey);
  const tree = new TiledTree(node, vouched.size, tilesFromFiles(layout));
  const { note, size } = vouched;
  const submission = { note, size, consistency: (oldSize: number) => tree.consistency(oldSize) };
  const ask = async (target: WitnessTarget): Promise<void> => {
    const reply = await askWitness(post, target, { submission, remembered: 0 });
    const entries = reply.kind === 'ahead' ? entriesOnDisk(layout) : size;
    const known = reply.kind === 'ahead' && reply.size <= entries; // written after the checkpoint file, which lags
    if ((reply.kind === 'ahead' && !known) || reply.kind === 'contradicted')
      throw rolledBack({ witness: target.key.name, kind: reply.kind, remembered: reply.size, size: entries });
  };
  await Promise.all(targets.map(ask));
}

/** What an operator reads where a witness and the log disagree. */
export function rolledBack({ witness, kind, remembered, size }: Disagreement): LogFault {
  const what =
    kind === 'ahead'
      ? `has cosigned ${remembered} entries of this log, which has only ${size}: an older copy was put back, or entries ` +
        'were cut off'
      : `says that the log does not extend the ${remembered} entries that it has cosigned: the log was rewritten, or ` +
        'another copy of this home has gone on elsewhere';
  return new LogFault(
    'log_rolled_back',
    `The witness ${witness} ${what}. Signing on would prove to everyone that this key made two histories, so nothing is ` +
      'signed. Restore the newest copy of the home. Where that is lost, keep this one as evidence, run `writ init` for a ' +
      'new home with a new key, and tell the verifiers.',
    Math.min(size, remembered),
  );
}

/** Entries in whole batches, those that the checkpoint does not cover yet among them. */
function entriesOnDisk(layout: LogLayout): number {
  const last = listSegments(layout.segments).at(-1);
  if (!last) return 0;
  const size = sizeAtEnd(last.path);
  return size >= 0 ? size : last.first;
}
