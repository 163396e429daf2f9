/** `writ lineage export-tiles`. */
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { readIdentity } from '../../lineage/identity.ts';
import { layoutOf } from '../../lineage/layout.ts';
import { readCosigned } from '../../lineage/prove.ts';
import { readVouched } from '../../lineage/replay.ts';
import { exportTiles } from '../../lineage/tiles/export.ts';
import { usageFailure } from '../exit.ts';
import { out } from '../screen.ts';
import { requireSettings } from '../settings-flags.ts';

/** Writes the tree under the checkpoint that clients are shown: the cosigned one, where witnesses are asked. */
export async function exportLogTiles(folder: string, command: Command): Promise<void> {
  const { settings } = requireSettings(command);
  const layout = layoutOf(settings.home);
  const directory = resolve(folder);
  if (`${directory}/`.startsWith(`${resolve(settings.home)}/`))
    throw usageFailure('the folder lies in the home, where the log itself is', 'Name one outside.');
  const { logKey } = readIdentity(layout);
  const head = readCosigned(layout, logKey) ?? readVouched(layout, logKey);
  const { entries = false, json } = command.opts<{ entries?: boolean; json?: boolean }>();
  const exported = await exportTiles({ layout, head, directory, entries });
  const { origin, size } = head;
  if (json) return out.json({ origin, size, directory, ...exported });
  out.line(
    `${out.paint('good', 'exported')}  ${origin}, ${size} entries: ${exported.written} ${exported.written === 1 ? 'file' : 'files'} written, ${exported.kept} kept`,
  );
  if (exported.pruned > 0)
    out.line(out.paint('warn', `${exported.pruned} entry bundles are left out: their entries were pruned`));
}
