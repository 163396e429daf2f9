/** A log as a crash can leave it: two segments, entries that nobody vouches for, and a torn end. */
import { appendFileSync } from 'node:fs';
import { listSegments } from '../../src/lineage/layout.ts';
import { fill, makeScratchLog, openStore } from '../lineage/scratch-log.ts';
import type { ScratchLog } from '../lineage/scratch-log.ts';

/** Makes one in a folder that is not there yet. */
export function makeUncleanLog(home: string): ScratchLog {
  const log = makeScratchLog(home);
  const store = openStore(log, 6000);
  fill(store, 9, 2);
  store.vouch();
  fill(store, 4, 2);
  const last = listSegments(log.layout.segments).at(-1);
  if (!last) throw new Error('a log has segments');
  appendFileSync(last.path, Buffer.alloc(333, 'torn'));
  return log;
}
