/** Makes proofs from a log's files alone, where no sidecar runs: under the checkpoints that they hold. */
import { readFileSync } from 'node:fs';
import { node } from '../crypto/node.ts';
import { verifyCheckpoint } from './checkpoint.ts';
import { listSegments } from './layout.ts';
import type { LogLayout } from './layout.ts';
import type { NoteKey } from './note.ts';
import { formatProof } from './proof.ts';
import { batchesOf } from './read.ts';
import { readVouched } from './replay.ts';
import type { Vouched } from './replay.ts';
import { tilesFromFiles } from './tiles/source.ts';
import { TiledTree } from './tiles/proof.ts';

/** The newest checkpoint that enough witnesses had cosigned, as the sidecar left it; undefined where there is none. */
export function readCosigned(layout: LogLayout, logKey: NoteKey): Vouched | undefined {
  const note = readNote(layout.cosigned);
  const head = note === undefined ? undefined : verifyCheckpoint(node, note, [logKey]);
  return note !== undefined && head ? { ...head, note } : undefined;
}

/**
 * The tlog-proof of an entry, under the cosigned checkpoint where that covers it, else under the `checkpoint` file;
 * undefined where neither does. The caller verifies it: tiles are derived files. Rejects with `LogFault` or `TileMissing`.
 */
export async function proveFromFiles(
  layout: LogLayout,
  logKey: NoteKey,
  seq: number,
): Promise<string | undefined> {
  const vouched = readVouched(layout, logKey);
  const cosigned = readCosigned(layout, logKey);
  const { size, note } = cosigned && seq < cosigned.size ? cosigned : vouched;
  if (seq >= size) return undefined;
  const hashes = await new TiledTree(node, size, tilesFromFiles(layout)).inclusion(seq);
  return formatProof({ index: seq, hashes, checkpoint: note });
}

/** The sizes that the log's heads around a size were signed over. */
export interface HeadsAround {
  readonly before: number;
  readonly after: number;
}

/**
 * The checkpoint that was signed over exactly so many entries (a head is signed at every write), or the sizes of those
 * around it. Only what the `checkpoint` file vouches for was released: undefined beyond. Throws `LogFault`.
 */
export function checkpointOver(
  layout: LogLayout,
  logKey: NoteKey,
  size: number,
): Vouched | HeadsAround | undefined {
  const vouched = readVouched(layout, logKey);
  const released = [readCosigned(layout, logKey), vouched].find((head) => head?.size === size);
  if (released) return released;
  if (size < 1 || size > vouched.size) return undefined;
  const segments = listSegments(layout.segments);
  const at = segments.findLastIndex(({ first }) => first < size);
  const segment = segments[at];
  if (!segment) return undefined;
  const until = segments[at + 1]?.first ?? Number.MAX_SAFE_INTEGER;
  using batches = batchesOf(segment, { from: size - 1, until });
  const batch = batches.next();
  if (batch.done) return undefined;
  const head = verifyCheckpoint(node, batch.value.head, [logKey]);
  if (head?.size === size) return { ...head, note: batch.value.head };
  return { before: batch.value.first, after: batch.value.size };
}

function readNote(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined; // no witness is asked
  }
}
