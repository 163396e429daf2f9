/**
 * What must hold between a log and all that anybody saw of it, however its writer ended: P1 to P5 and P7 of the promises
 * in docs/lineage.md. Each violation is a sentence that begins with its promise; none where all holds.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { leafOf, rootAt, wrongTiles } from './checker.ts';
import type { CheckedEntry, CheckedLog } from './checker.ts';
import type { Answer, Head } from './load.ts';

/** What was seen from outside. */
export interface Witnessed {
  /** Paths of all requests that the origin received. */
  readonly arrived: readonly string[];
  readonly answers: readonly Answer[];
  /** Entries of the same log at an earlier time. */
  readonly earlier: readonly string[];
  /** What the log's own callers were told is durable. */
  readonly acknowledged?: readonly { readonly seq: number; readonly path: string }[];
  /** Heads that left the writer. */
  readonly heads?: readonly Head[];
}

/** Judges a log by what was seen. */
export function violations(log: CheckedLog, seen: Witnessed): readonly string[] {
  const { arrived, answers, earlier, acknowledged = [], heads = [] } = seen;
  return [
    ...arrivedUnrecorded(log, arrived),
    ...answers.flatMap((answer) => answerUnrecorded(log, answer)),
    ...acknowledged.flatMap(({ seq, path }) =>
      log.entries[seq]?.is.call?.path === path
        ? []
        : [`P2 ${path} was acknowledged as entry ${seq}, which it is not`],
    ),
    ...changed(log, earlier),
    ...heads.flatMap((head) => foreignHead(log, head)),
    ...usedTwice(arrived),
  ];
}

/** Judges what a start made of the log that the end before it left. `before` is what lay on disk. */
export function recoveryViolations(home: string, before: CheckedLog, after: CheckedLog): readonly string[] {
  const texts = before.entries.map(({ text }) => text);
  const found = [
    ...changed(after, texts),
    ...foreignHead(after, before.checkpoint),
    ...wrongTiles(home, after),
  ];
  if (after.torn > 0) found.push(`P7 ${after.torn} bytes of a torn end are still there`);
  const unvouched = before.torn > 0 || before.entries.length > before.vouched;
  if (!unvouched || before.entries.at(-1)?.is.cause === 'unclean stop') return found;
  const gap = after.entries[before.entries.length];
  if (gap?.is.cause !== 'unclean stop')
    return [...found, `P5 entry ${before.entries.length} is no gap after an unclean end`];
  return [...found, ...lostTail(home, before.tornBytes, gap)];
}

/** P5: what was cut is kept, and the entry says where. */
function lostTail(home: string, torn: Buffer, { is }: CheckedEntry): readonly string[] {
  if (torn.length === 0) return is.torn ? ['P5 a gap names a torn end that was not there'] : [];
  if (is.torn?.bytes !== torn.length)
    return [`P5 ${torn.length} bytes were cut, and the gap does not say so`];
  const kept = readFileSync(join(home, 'lineage', 'torn', is.torn.file));
  return kept.equals(torn) ? [] : [`P5 ${is.torn.file} is not what was cut`];
}

/** P3: only the end of a log may differ from what once was written. Of what was pruned since, the hash is there. */
function changed({ entries, leaves }: CheckedLog, earlier: readonly string[]): readonly string[] {
  return earlier.flatMap((text, seq) => {
    const same = entries[seq] ? entries[seq].text === text : leaves[seq]?.equals(leafOf(Buffer.from(text)));
    return same === true ? [] : [`P3 entry ${seq} is not what it was`];
  });
}

/** P1: every request that the origin received has its permit. */
function arrivedUnrecorded({ entries }: CheckedLog, arrived: readonly string[]): readonly string[] {
  const permits = new Set(entries.flatMap(({ is }) => (is.verdict === 'permit' ? [is.call?.path] : [])));
  return arrived.flatMap((path) =>
    permits.has(path) ? [] : [`P1 the origin received ${path}, which is not in the log`],
  );
}

/** P2 and P4: every answer that names an entry has it, and every head that left is one of this log's. */
function answerUnrecorded(log: CheckedLog, answer: Answer): readonly string[] {
  const { path, status, id, entry, statement, head } = answer;
  const found: string[] = [];
  if (status === 200 && Number.isNaN(entry)) found.push(`P2 the answer to ${path} names no entry`);
  if (Number.isNaN(entry)) return found;
  const recorded = log.entries[entry];
  if (recorded?.id !== id) found.push(`P2 the answer to ${path} names entry ${entry}, which is not there`);
  if (statement !== undefined && recorded?.text !== statement)
    found.push(`P2 the receipt of ${path} is not entry ${entry}`);
  return head ? [...found, ...foreignHead(log, head)] : found;
}

/** P4: never a smaller tree, never two roots for one size. */
function foreignHead(log: CheckedLog, { size, root }: Head): readonly string[] {
  return rootAt(log, size) === root ? [] : [`P4 a head of ${size} was shown that is not this log's`];
}

/** A single-use grant passes once. */
function usedTwice(arrived: readonly string[]): readonly string[] {
  const seen = new Set<string>();
  return arrived.flatMap((path) => {
    const twice = path.startsWith('/once/') && seen.has(path);
    seen.add(path);
    return twice ? [`P1 ${path} passed twice under a grant for one call`] : [];
  });
}
