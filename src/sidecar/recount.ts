/** Use counts, rebuilt from the log at start: the log itself is the replay store (formats.md §2). */
import type { Uses } from '../grant/uses.ts';
import { layoutOf } from '../lineage/layout.ts';
import { readEntries } from '../lineage/read.ts';

/** Only permits of a counted grant say `"max":`; most entries need not be parsed. */
const COUNTED = Buffer.from('"max":');

/** Counts every use that the log holds. Throws where an entry cannot be read: such a log must not be started on. */
export function recount(home: string, uses: Uses): void {
  for (const { bytes } of readEntries(layoutOf(home).segments)) {
    const entry = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    if (!entry.includes(COUNTED)) continue;
    const statement = JSON.parse(entry.toString('utf8')) as { predicate?: unknown; predicateType?: unknown }; // ours, and verified at start
    if (statement.predicateType === 'urn:writ:decision:v1') uses.replay(statement.predicate);
  }
}
