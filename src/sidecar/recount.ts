/** Use counts, rebuilt from the log at start: the log itself is the replay store (formats.md §2). */
import { equalBytes } from '../crypto/bytes.ts';
import type { SecretMark } from '../crypto/node.ts';
import { Uses } from '../grant/uses.ts';
import { readIdentity, readLogMark } from '../lineage/identity.ts';
import { layoutOf } from '../lineage/layout.ts';
import type { LogLayout } from '../lineage/layout.ts';
import { readProven } from '../lineage/read-proven.ts';
import { readVouched } from '../lineage/replay.ts';
import type { Vouched } from '../lineage/replay.ts';
import { treeAt } from '../lineage/resume.ts';
import type { Tree } from '../lineage/tree.ts';
import { readSnapshot, SNAPSHOT_PURPOSE, writeSnapshot } from './use-snapshot.ts';

/** Only permits of a counted grant say `"max":`; most entries need not be parsed. */
const COUNTED = Buffer.from('"max":');

/** How far a count reaches, and how much of the log had to be read for it. */
export interface Recounted {
  readonly head: Vouched;
  readonly read: number;
}

/**
 * Counts every use up to the `checkpoint` file: from the snapshot where it is sound and of this log, and from the entries
 * that follow it. Throws where an entry was changed or cannot be counted: such a log must not be started on.
 */
export function recount(home: string, uses: Uses): Recounted {
  const layout = layoutOf(home);
  const head = readVouched(layout, readIdentity(layout).logKey);
  const tree = treeAt(layout, head);
  const from = restore(layout, tree, uses);
  for (const { bytes } of readProven(layout, tree, from)) count(bytes, uses);
  return { head, read: tree.size - from };
}

/** Brings the snapshot up to the `checkpoint` file. It is made from the log alone, never from the counters of a running sidecar. */
export function keepCounts(home: string, wall: () => number): void {
  const uses = new Uses(wall);
  const { head, read } = recount(home, uses);
  const layout = layoutOf(home);
  if (read > 0) writeSnapshot(layout.uses, { ...head, rows: uses.rows() }, markOf(layout));
}

/** Where counting begins: the size of a snapshot over exactly this log, or 0. */
function restore(layout: LogLayout, tree: Tree, uses: Uses): number {
  const snapshot = readSnapshot(layout.uses, markOf(layout));
  if (!snapshot || snapshot.size > tree.size) return 0;
  if (!equalBytes(tree.hashOf({ start: 0, end: snapshot.size }), snapshot.root)) return 0;
  uses.restore(snapshot.rows);
  return snapshot.size;
}

function markOf(layout: LogLayout): SecretMark {
  return readLogMark(layout, readIdentity(layout), SNAPSHOT_PURPOSE);
}

function count(bytes: Uint8Array, uses: Uses): void {
  const entry = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (!entry.includes(COUNTED)) return;
  const statement = JSON.parse(entry.toString('utf8')) as { predicate?: unknown; predicateType?: unknown }; // ours: it is in the signed tree
  if (statement.predicateType === 'urn:writ:decision:v1') uses.replay(statement.predicate);
}
