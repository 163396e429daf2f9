/** A machine whose clock was set back is no reason to stop, since no time of ours goes back with it; but someone should look. */
import type { Log } from '../config/log.ts';
import type { Readiness } from '../console/readiness.ts';

const LOOK_MS = 1000;
/** As much as clocks may differ anyway. */
const SKEW_MS = 30_000;

/** What it needs to know of time. */
export interface WatchedClock {
  /** Milliseconds by which the machine's clock was set back. */
  behind(): number;
  after(milliseconds: number, then: () => void): () => void;
}

/** Raises `clock_set_back` while the machine's clock is behind ours. The answer ends the watch. */
export function watchClock(clock: WatchedClock, readiness: Pick<Readiness, 'alarm'>, log: Log): () => void {
  let back = false;
  let cancel = clock.after(LOOK_MS, look);
  return () => cancel();

  function look(): void {
    const before = back;
    back = clock.behind() > SKEW_MS;
    readiness.alarm('clock_set_back', back);
    if (back && !before)
      log.warn('the machine’s clock was set back', { seconds: Math.round(clock.behind() / 1000) });
    if (before && !back) log.info('the machine’s clock has caught up');
    cancel = clock.after(LOOK_MS, look);
  }
}
