/** How long work shows how far it is: to a person at a terminal, on stderr, and to nobody else. */
import cliProgress from 'cli-progress';

/** A bar on stderr. */
export interface ProgressBar {
  /** Call it as often as you like. Nothing appears before the work is worth it. */
  show(done: number, all: number): void;
  /** Takes the bar away. */
  stop(): void;
}

/** Work of fewer steps is done before anyone could read. */
const WORTH_SHOWING = 50_000;
const EVERY = 5000;

/** A bar that counts so many `unit`; none where stderr is not a terminal. */
export function progressBar(unit: string): ProgressBar {
  if (!process.stderr.isTTY) return { show: () => undefined, stop: () => undefined };
  const format = `{bar} {percentage} %  {value} of {total} ${unit}, {eta_formatted} to go`;
  const bar = new cliProgress.SingleBar(
    { format, stream: process.stderr, clearOnComplete: true, hideCursor: true },
    cliProgress.Presets.shades_classic,
  );
  let shown = 0;
  return {
    show: (done, all) => {
      if (all < WORTH_SHOWING || done - shown < EVERY) return;
      if (bar.isActive) bar.update(done);
      else bar.start(all, done);
      shown = done;
    },
    stop: () => bar.stop(),
  };
}
