/** How long a call took, for its outcome. */
import type { Clock } from '../gate/outside.ts';

/** Whole milliseconds since then (monotonic); 0 where the clock fails, which must not take the outcome with it. */
export function elapsedSince({ monotonic }: Pick<Clock, 'monotonic'>, since: number): number {
  try {
    return Math.round(monotonic() - since);
  } catch {
    return 0;
  }
}
