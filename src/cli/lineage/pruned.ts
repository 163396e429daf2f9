/** How commands speak of entries that were pruned. */
import type { LogLayout } from '../../lineage/layout.ts';
import { holeOf } from '../../lineage/hole.ts';

/** `entries 1 to 299`, where entry `until` is the first that stays. */
export function prunedRange(until: number): string {
  return until === 2 ? 'entry 1' : `entries 1 to ${until - 1}`;
}

/** That an entry was pruned; undefined where it was not. */
export function whyPruned(layout: LogLayout, seq: number): string | undefined {
  const until = holeOf(layout);
  if (until === undefined || seq < 1 || seq >= until) return undefined;
  return `entry ${seq} is not here any more: ${prunedRange(until)} were pruned`;
}
