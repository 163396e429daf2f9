/** A log of many sealed segments, and what pruning it in this thread leaves. */
import { readVouched } from '../../src/lineage/replay.ts';
import { findPrunable, prune } from '../../src/lineage/prune.ts';
import type { NotPrunable, Prunable, PruneRules } from '../../src/lineage/prune.ts';
import { pruningDraft } from '../../src/lineage/pruned.ts';
import { treeAt } from '../../src/lineage/resume.ts';
import { fill, makeScratchLog, NOW, openStore } from './scratch-log.ts';
import type { ScratchLog } from './scratch-log.ts';

const SEGMENT_BYTES = 60_000;

/** A closed log of `count` + 1 entries in segments of some 60 entries. */
export function segmentedLog(home: string, count = 800): ScratchLog {
  const log = makeScratchLog(home);
  const store = openStore(log, SEGMENT_BYTES);
  fill(store, count, 20);
  store.close();
  return log;
}

/** A later day, on which everything in a scratch log is old. */
export const LATER = NOW + 3 * 24 * 3600 * 1000;

/** What may go of a log, all of it being old. */
export function prunableOf(log: ScratchLog, rules: Partial<PruneRules> = {}): Prunable | NotPrunable {
  const { layout, identity } = log;
  const tree = treeAt(layout, readVouched(layout, identity.logKey));
  return findPrunable({ layout, tree, before: LATER, now: LATER, ...rules });
}

/** Prunes what may go, without a lock. Throws where nothing may. */
export async function pruneLog(log: ScratchLog): Promise<{ readonly until: number; readonly entry: number }> {
  const { layout, identity } = log;
  const prunable = prunableOf(log);
  if ('why' in prunable) throw new Error(prunable.why);
  const tree = treeAt(layout, readVouched(layout, identity.logKey));
  const entry = await prune({
    ...{ layout, tree, prunable },
    record: (pruning) => {
      const store = openStore(log, SEGMENT_BYTES);
      const { first } = store.append([pruningDraft(pruning)]);
      store.close();
      return Promise.resolve(first);
    },
  });
  return { until: prunable.until, entry };
}
