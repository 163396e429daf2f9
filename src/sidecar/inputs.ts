/** Whether, where and how much of what policies are asked is kept. */
import type { Log } from '../config/log.ts';
import type { Settings } from '../config/schema.ts';
import { systemClock } from '../config/system.ts';
import type { Metrics } from '../console/metrics.ts';
import { InputKeeper } from '../lineage/inputs.ts';
import { layoutOf } from '../lineage/layout.ts';

/** Inputs stop being kept long before the log has no room. */
const ROOM_FOR_THE_LOG = 256 * 1024 * 1024;

/** The keeper of these settings; undefined where only digests are wanted. */
export function makeInputKeeper(
  { home, lineage }: Settings,
  log: Log,
  metrics: Pick<Metrics, 'inputsLost'>,
): InputKeeper | undefined {
  if (lineage.inputs === 'digest') return undefined;
  return new InputKeeper({
    folder: layoutOf(home).inputs,
    maxBytes: lineage.inputs_bytes,
    roomBytes: ROOM_FOR_THE_LOG,
    after: (milliseconds, then) => systemClock.after(milliseconds, then),
    onLost: (inputs, why) => {
      metrics.inputsLost(inputs);
      log.warn('inputs for replay were not kept', { inputs, why });
    },
  });
}
