/** Makes a log: keys and entry 0, in one step. */
import { randomUUID } from 'node:crypto';
import { rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { isThere } from '../config/file-fault.ts';
import { toJwk } from '../crypto/key.ts';
import { loadSigner, newKey, node } from '../crypto/node.ts';
import type { Signer } from '../crypto/node.ts';
import { NO_PREVIOUS } from './audit.ts';
import { originOf } from './checkpoint.ts';
import { Composer } from './composer.ts';
import { makeDirectory, replaceFile, syncDirectory } from './durable.ts';
import { LogFault } from './fault.ts';
import { readIdentity } from './identity.ts';
import { layoutOf, segmentPath } from './layout.ts';
import type { LogLayout } from './layout.ts';
import { lockLog } from './lock.ts';
import { noteKey } from './note.ts';
import { signHead } from './seal.ts';
import { SegmentFile } from './segment-file.ts';
import { draft } from './statement.ts';
import { Tree } from './tree.ts';

/** What a new log is to be. */
export interface NewLog {
  readonly home: string;
  /** The first part of its origin, e.g. `localhost/writ`: letters, digits and `._~:/-`. */
  readonly name: string;
  /** Unix time in milliseconds, for entry 0. */
  readonly now: number;
  /** The last checkpoint, verified, of a retired log that it takes the place of (formats.md §3, `genesis:v1`). */
  readonly follows?: string | undefined;
}

/** A log that is there now. */
export interface CreatedLog {
  readonly origin: string;
  /** False where the home was complete already; then nothing was changed. */
  readonly created: boolean;
}

/**
 * Makes `keys/log.jwk`, `keys/receipt.jwk` and `lineage/` with its entry 0. A half-made log of an earlier attempt is made
 * anew, because nothing of it can have left; parts of a log without that attempt's marker are refused (`log_half_made`).
 */
export function createLog(wanted: NewLog): CreatedLog {
  const { home, name } = wanted;
  if (!/^[A-Za-z0-9._~:/-]{1,200}$/.test(name))
    throw new LogFault(
      'log_name_mismatch',
      `A log cannot be named ${JSON.stringify(name)}: use letters, digits and ._~:/-`,
    );
  const layout = layoutOf(home);
  if (isMade(layout)) return { origin: readIdentity(layout).origin, created: false };
  for (const directory of [home, layout.keys, layout.directory]) makeDirectory(directory);
  const lock = lockLog(layout);
  try {
    if (isMade(layout)) return { origin: readIdentity(layout).origin, created: false }; // by whoever held the lock
    return { origin: make(layout, wanted), created: true };
  } finally {
    lock.release();
  }
}

/** Whether a whole log is there. Throws where parts of one are, and it was no attempt of ours that left them. */
function isMade(layout: LogLayout): boolean {
  if (isThere(layout.unfinished)) return false;
  const { logKey, receiptKey, checkpoint, segments } = layout;
  const parts = [logKey, receiptKey, checkpoint, segments].map((path) => isThere(path));
  if (parts.some(Boolean) && !parts.every(Boolean)) throw halfMade(layout);
  return parts.every(Boolean);
}

/** Everything between the marker's coming and going may be done again from the start. */
function make(layout: LogLayout, { name, now, follows }: NewLog): string {
  replaceFile(layout.unfinished, 'writ init has not finished\n');
  for (const path of [layout.logKey, layout.receiptKey, layout.checkpoint, layout.segments])
    rmSync(path, { recursive: true, force: true });
  makeDirectory(layout.segments);
  const log = makeKey(layout.logKey);
  const receipt = makeKey(layout.receiptKey);
  const origin = originOf(node, name, log.key);
  writeGenesis(layout, { origin, log, receipt, now, follows });
  rmSync(layout.unfinished);
  syncDirectory(layout.directory);
  return origin;
}

function makeKey(path: string): Signer {
  const jwk = newKey();
  replaceFile(path, `${JSON.stringify(jwk)}\n`);
  return loadSigner(jwk);
}

function writeGenesis(
  layout: LogLayout,
  {
    origin,
    log,
    receipt,
    now,
    follows,
  }: Pick<NewLog, 'now' | 'follows'> & {
    readonly origin: string;
    readonly log: Signer;
    readonly receipt: Signer;
  },
): void {
  const key = noteKey(node, { name: origin, type: 'log', key: log.key });
  const seal = { head: (head: Parameters<typeof signHead>[2]) => signHead(log, key, head) };
  const composer = new Composer({ origin, prev: NO_PREVIOUS, seal, tree: new Tree(node, () => undefined) });
  const genesis = {
    ...(follows !== undefined && { follows }),
    formats: { segment: 1, statement: 1 },
    log_key: toJwk(log.key),
    receipt_key: toJwk(receipt.key),
  };
  const { bytes, head } = composer.compose([draft('genesis', randomUUID(), genesis)], now);
  const segment = SegmentFile.create(segmentPath(layout.segments, 0));
  try {
    segment.append(bytes);
  } finally {
    segment.close();
  }
  replaceFile(layout.checkpoint, head);
}

function halfMade(layout: LogLayout): LogFault {
  return new LogFault(
    'log_half_made',
    `${dirname(layout.directory)} has some of a log’s parts (keys/log.jwk, keys/receipt.jwk, lineage/) but not all. ` +
      'Restore the missing ones, or name an empty home with --home. Nothing was changed.',
  );
}
