/** `writ lineage consistency`. */
import type { Command } from 'commander';
import { toBase64 } from '../../crypto/base64.ts';
import { node } from '../../crypto/node.ts';
import { formatConsistency, isExtension } from '../../lineage/consistency.ts';
import { readIdentity } from '../../lineage/identity.ts';
import { layoutOf } from '../../lineage/layout.ts';
import type { LogLayout } from '../../lineage/layout.ts';
import type { NoteKey } from '../../lineage/note.ts';
import { checkpointOver, readCosigned } from '../../lineage/prove.ts';
import { readVouched } from '../../lineage/replay.ts';
import type { Vouched } from '../../lineage/replay.ts';
import { TiledTree } from '../../lineage/tiles/proof.ts';
import { tilesFromFiles } from '../../lineage/tiles/source.ts';
import { CommandFailure, EXIT, unable, usageFailure } from '../exit.ts';
import { whyPruned } from './pruned.ts';
import { writeResult } from '../result-file.ts';
import { requireSettings } from '../settings-flags.ts';

/** What is asked for. */
export interface ConsistencyQuestion {
  readonly old: number;
  readonly size: number | undefined;
  readonly command: Command;
}

/** Prints the proof from one size to a checkpoint: the body of a witness's `add-checkpoint`. */
export async function proveConsistency({ old, size, command }: ConsistencyQuestion): Promise<void> {
  const { settings } = requireSettings(command);
  const layout = layoutOf(settings.home);
  const { logKey } = readIdentity(layout);
  const head = size === undefined ? newest(layout, logKey) : headOver(layout, logKey, size);
  if (old > head.size) throw usageFailure(`${old} is larger than ${head.size}: name the older size first`);
  const give = tilesFromFiles(layout);
  const [hashes, root] = await Promise.all([
    new TiledTree(node, head.size, give).consistency(old),
    new TiledTree(node, old, give).root(),
  ]);
  if (!isExtension(node, { old: { size: old, root }, head, hashes }))
    throw unable('the proof does not verify', 'See `writ lineage verify`.');
  const { output, json } = command.opts<{ output?: string; json?: boolean }>();
  const { note, origin } = head;
  const report = {
    origin,
    old: { size: old, root: toBase64(root) },
    new: { size: head.size, root: toBase64(head.root) },
    hashes: hashes.map(toBase64),
    checkpoint: note,
  };
  writeResult(
    json
      ? `${JSON.stringify(report, null, 2)}\n`
      : formatConsistency({ oldSize: old, hashes, checkpoint: note }),
    output,
  );
}

/** What clients are shown: the cosigned checkpoint, where witnesses are asked, else the newest on disk. */
function newest(layout: LogLayout, logKey: NoteKey): Vouched {
  return readCosigned(layout, logKey) ?? readVouched(layout, logKey);
}

function headOver(layout: LogLayout, logKey: NoteKey, size: number): Vouched {
  const found = checkpointOver(layout, logKey, size);
  if (found && 'note' in found) return found;
  throw new CommandFailure(
    EXIT.no,
    `no checkpoint over exactly ${size} entries was signed`,
    found
      ? `The log signs one at every write: name ${found.before > 0 ? `${found.before} or ` : ''}${found.after}.`
      : (whyPruned(layout, size - 1) ?? 'The log is shorter. `writ lineage verify` tells how long it is.'),
  );
}
