/**
 * Reads a log, changes nothing, and judges it: whole, torn after what the `checkpoint` file vouches for, or damaged.
 * `replay` reads it from its first byte; `replayTail` only what the checkpoint does not cover.
 */
import { readFileSync } from 'node:fs';
import { equalBytes } from '../crypto/bytes.ts';
import { node } from '../crypto/node.ts';
import { Audit } from './audit.ts';
import { verifyCheckpoint } from './checkpoint.ts';
import type { VerifiedHead } from './checkpoint.ts';
import { damaged, LogFault, systemFault } from './fault.ts';
import { listSegments } from './layout.ts';
import type { LogLayout, SegmentName } from './layout.ts';
import type { NoteKey } from './note.ts';
import { batchesOf } from './read.ts';
import type { SegmentEnd } from './read.ts';
import { holeIn } from './hole.ts';
import { checkPruned, passHole } from './pruned.ts';
import type { Pruning } from './pruned.ts';
import { resume } from './resume.ts';
import type { SegmentScan } from './scanned.ts';
import { BATCH_MAGIC, batchAt } from './segment.ts';
import { sizeAtEnd } from './segment-end.ts';
import type { Batch } from './segment.ts';
import { isMissing } from './system-remedy.ts';
import { treeOn } from './tree-files.ts';
import type { Tile } from './tiles/tile.ts';

/** A log that was read to its end and is not damaged. */
export interface Replayed {
  readonly audit: Audit;
  /** The signed checkpoint over everything that was read. */
  readonly head: string;
  readonly tail: Tail;
  /** Entries 1 to `until` − 1 are gone, and this entry owns up to it. */
  readonly pruned?: { readonly until: number; readonly by: Pruning };
}

/** What lies after the vouched part: always in the last segment, because a new one begins only on vouched ground. */
export interface Tail {
  readonly segment: SegmentName;
  /** The first entry that is not vouched for. */
  readonly first: number;
  /** Offsets: where the vouched part ends, where the good batches end, where the file ends. */
  readonly start: number;
  readonly end: number;
  readonly length: number;
  /** Whether its last entry says that an earlier recovery got as far as this. */
  readonly endsInGap: boolean;
}

/** How the entry begins that a recovery writes. A quote inside a JSON string is escaped: nothing else looks like it. */
const MENDED = Buffer.from('"predicate":{"cause":"unclean stop","entry":{');

/** Which log is read, and who watches. */
export interface ReplayRules {
  readonly layout: LogLayout;
  readonly logKey: NoteKey;
  /** Check the signature of every head. Where not: of those after the `checkpoint` file, and the last of each segment. */
  readonly everyHead: boolean;
  /** Hears of every full tile, in order. */
  readonly onTile: (tile: Tile) => void;
  /** Hears of every good batch, in order. */
  readonly onBatch?: (head: Pick<Batch, 'size' | 'root'>) => void;
}

/** Reads the whole log. Throws `log_missing`, `log_rolled_back` or `log_damaged`. */
export function replay(rules: ReplayRules): Replayed {
  const audit = new Audit(rules.logKey.name, treeOn(rules.layout));
  const reading = new Replay(rules, { vouched: readVouched(rules.layout, rules.logKey), audit });
  for (const segment of listSegments(rules.layout.segments)) reading.segment(segment);
  return reading.finish();
}

/**
 * Reads what follows the entries that the `checkpoint` file vouches for; those are taken from their tiles, under the
 * checkpoint's root. Undefined where that cannot be done, or anything looks odd: then `replay` says what is wrong.
 */
export function replayTail(rules: ReplayRules): Replayed | undefined {
  const vouched = readVouched(rules.layout, rules.logKey);
  const segments = listSegments(rules.layout.segments);
  const last = segments.at(-1);
  if (!last || last.first > vouched.size || !areWhole(segments)) return undefined;
  const audit = resume(rules.layout, vouched);
  if (!audit) return undefined;
  const reading = new Replay(rules, { vouched, audit, hole: holeIn(segments) });
  reading.tail(last);
  return reading.finish();
}

/** A verified checkpoint, and its text. */
export type Vouched = VerifiedHead & { readonly note: string };

/** Whether every segment but the last reaches the next one, or what was pruned lies between. Looks at their last batch alone. */
function areWhole(segments: readonly SegmentName[]): boolean {
  const reach = ({ path, until }: SegmentName): boolean => sizeAtEnd(path) >= until;
  const kept = holeIn(segments) === undefined ? segments : segments.slice(1);
  return segments[0]?.first === 0 && kept.slice(0, -1).every(reach);
}

/** The head in the `checkpoint` file: the log was at least this long, and this its tree. */
export function readVouched(layout: LogLayout, logKey: NoteKey): Vouched {
  const note = readText(layout.checkpoint);
  const head = verifyCheckpoint(node, note, [logKey]);
  if (head) return { ...head, note };
  throw new LogFault(
    'log_damaged',
    `${layout.checkpoint} is not a checkpoint signed by this log’s key. Restore the file, or the whole home, from a backup.`,
  );
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    if (!isMissing(cause)) throw systemFault(cause, 'The log’s checkpoint cannot be read');
    throw new LogFault('log_missing', `The log’s checkpoint ${path} is not there. Restore the home.`);
  }
}

/** Where a reading begins. */
export interface ReplayStart {
  readonly vouched: Vouched;
  readonly audit: Audit;
  /** The first entry after a hole that this reading does not come to. */
  readonly hole?: number | undefined;
}

/** A reading of a log, segment after segment, in order. */
export class Replay {
  readonly #rules: ReplayRules;
  readonly #vouched: Vouched;
  readonly #audit: Audit;
  #head = '';
  #tail: Tail | undefined;
  #metVouched = false;
  /** The first entry after the hole, where there is one. */
  #hole: number | undefined;
  #lastBatchIsGap = false;

  constructor(rules: ReplayRules, { vouched, audit, hole }: ReplayStart) {
    this.#rules = rules;
    this.#hole = hole;
    this.#vouched = vouched;
    this.#audit = audit;
  }

  segment(segment: SegmentName): void {
    const { tree } = this.#audit;
    this.#begin(segment);
    const { until } = segment;
    using batches = batchesOf(segment, { until });
    let start = 0;
    let step = batches.next();
    for (; !step.done; step = batches.next()) {
      this.#take(step.value, until);
      if (tree.size <= this.#vouched.size) start = step.value.offset + step.value.length;
    }
    if (until === Infinity) this.#end(segment, start, step.value);
    else if (tree.size !== until && !endsAfterGenesis(step.value)) throw damaged(this.#broken(step.value));
  }

  /** A segment that was scanned elsewhere. False: something is odd, and this reading is of no more use. */
  scanned(segment: SegmentName, scan: SegmentScan): boolean {
    this.#begin(segment);
    return this.#audit.takeScan(scan, (head) => {
      this.#tiles();
      this.#rules.onBatch?.(head);
      if (head.size === this.#vouched.size) this.#metVouched = equalBytes(head.root, this.#vouched.root);
    });
  }

  /** The rest of the last segment, where all that the checkpoint covers is known to be good. */
  tail(segment: SegmentName): void {
    this.#metVouched = true;
    this.#head = this.#vouched.note;
    this.#tiles();
    using batches = batchesOf(segment, { from: this.#audit.tree.size, until: Infinity });
    let step = batches.next();
    const start = step.value.offset;
    for (; !step.done; step = batches.next()) this.#take(step.value, Infinity);
    this.#end(segment, start, step.value);
  }

  finish(): Replayed {
    if (!this.#tail)
      throw new LogFault('log_missing', 'The log has no segments. Restore the home from a backup.');
    if (!this.#metVouched)
      throw damaged({ index: this.#vouched.size, what: 'the checkpoint was signed over other entries' });
    const replayed = { audit: this.#audit, head: this.#head, tail: this.#tail };
    const until = this.#hole;
    if (until === undefined) return replayed;
    return { ...replayed, pruned: { until, by: checkPruned(this.#rules.layout, this.#audit.tree, until) } };
  }

  /** A segment follows the one before, or the hole after entry 0. */
  #begin({ first, path }: SegmentName): void {
    const { tree } = this.#audit;
    if (first === tree.size) return;
    if (tree.size !== 1 || first < 1)
      throw damaged({ index: tree.size, what: `the next segment, ${path}, begins with another entry` });
    this.#hole = first;
    passHole(tree, { layout: this.#rules.layout, until: first, onTiles: () => this.#tiles() });
    this.#audit.skipped();
  }

  #take(batch: Batch, until: number): void {
    const damage = this.#audit.take(batch);
    if (damage) throw damaged(damage);
    const { tree } = this.#audit;
    const counts = this.#rules.everyHead || tree.size > this.#vouched.size || tree.size === until;
    if (counts && !this.#isSigned(batch))
      throw damaged({ index: batch.first, what: 'a batch carries a head that this log’s key did not sign' });
    if (tree.size === this.#vouched.size) this.#meetVouched(batch);
    this.#tiles();
    this.#rules.onBatch?.(batch);
    this.#head = batch.head;
    this.#lastBatchIsGap = Buffer.from(batch.entries.at(-1) ?? []).includes(MENDED);
  }

  #tiles(): void {
    for (const tile of this.#audit.tree.takeFullTiles()) this.#rules.onTile(tile);
  }

  #meetVouched(batch: Batch): void {
    if (!equalBytes(this.#audit.tree.root(), this.#vouched.root) || batch.head !== this.#vouched.note)
      throw damaged({ index: batch.first, what: 'the checkpoint was signed over other entries' });
    this.#metVouched = true;
  }

  #end(segment: SegmentName, start: number, end: SegmentEnd): void {
    const { tree } = this.#audit;
    if (end.broken) this.#checkTorn(segment, end);
    else if (tree.size < this.#vouched.size) throw rolledBack(tree.size, this.#vouched.size);
    const first = Math.max(segment.first, Math.min(tree.size, this.#vouched.size));
    this.#tail = {
      segment,
      first,
      start,
      end: end.offset,
      length: end.length,
      endsInGap: this.#lastBatchIsGap && !end.broken,
    };
  }

  /** Only the last batch can be torn: the one before it was synced before it was begun. */
  #checkTorn(segment: SegmentName, end: SegmentEnd): void {
    const { size } = this.#audit.tree;
    if (size < this.#vouched.size || this.#signedBatchAfter(segment, end)) throw damaged(this.#broken(end));
  }

  #broken(end: SegmentEnd): { index: number; what: string } {
    return end.broken ? this.#audit.blame(end.broken) : this.#audit.missing();
  }

  #signedBatchAfter(segment: SegmentName, end: SegmentEnd): boolean {
    const bytes = readFileSync(segment.path).subarray(end.offset + 1, end.length);
    for (let at = bytes.indexOf(BATCH_MAGIC); at >= 0; at = bytes.indexOf(BATCH_MAGIC, at + 1)) {
      const batch = batchAt(bytes.subarray(at));
      if (batch?.intact && this.#isSigned(batch)) return true;
    }
    return false;
  }

  #isSigned({ head }: Batch): boolean {
    return verifyCheckpoint(node, head, [this.#rules.logKey]) !== undefined;
  }
}

/** Entry 0 alone: what follows was pruned, or is missing. */
function endsAfterGenesis({ seq, broken }: SegmentEnd): boolean {
  return seq === 1 && !broken;
}

function rolledBack(size: number, vouched: number): LogFault {
  return new LogFault(
    'log_rolled_back',
    `The log has ${size} entries, but its checkpoint was signed over ${vouched}: an older copy was put back, or entries ` +
      'were cut off. It signs nothing in this state. Restore the newest copy, or start a new log in another home (`writ init --follows`).',
    size,
  );
}
