/** What must hold between a log and all that its sidecar's callers and origin saw, however it ended (threats.md §5). */
import type { CheckedLog } from './checker.ts';
import type { Answer } from './load.ts';

/** What was seen from outside. */
export interface Witnessed {
  /** Paths of all requests that the origin received. */
  readonly arrived: readonly string[];
  readonly answers: readonly Answer[];
  /** Entries of the same log at an earlier time. */
  readonly earlier: readonly string[];
}

/** Each violation as a sentence; none where all holds. */
export function violations(log: CheckedLog, { arrived, answers, earlier }: Witnessed): readonly string[] {
  return [
    ...arrivedUnrecorded(log, arrived),
    ...answers.flatMap((answer) => answerUnrecorded(log, answer)),
    ...earlier.flatMap((text, seq) =>
      log.entries[seq]?.text === text ? [] : [`entry ${seq} is not what it was`],
    ),
    ...usedTwice(arrived),
  ];
}

/** P1: every request that the origin received has its permit. */
function arrivedUnrecorded({ entries }: CheckedLog, arrived: readonly string[]): readonly string[] {
  const permits = new Set(entries.flatMap(({ is }) => (is.verdict === 'permit' ? [is.call?.path] : [])));
  return arrived.flatMap((path) =>
    permits.has(path) ? [] : [`the origin received ${path}, which is not in the log`],
  );
}

/** P2 and P4: every answer that names an entry has it, and every head that left is one of this log's. */
function answerUnrecorded({ entries, roots }: CheckedLog, answer: Answer): readonly string[] {
  const { path, status, id, entry, statement, head } = answer;
  const found: string[] = [];
  if (status === 200 && Number.isNaN(entry)) found.push(`the answer to ${path} names no entry`);
  if (Number.isNaN(entry)) return found;
  const recorded = entries[entry];
  if (recorded?.id !== id) found.push(`the answer to ${path} names entry ${entry}, which is not there`);
  if (statement !== undefined && recorded?.text !== statement)
    found.push(`the receipt of ${path} is not entry ${entry}`);
  if (head && roots.get(head.size) !== head.root)
    found.push(`a head of ${head.size} was shown that is not this log's`);
  return found;
}

/** A single-use grant passes once. */
function usedTwice(arrived: readonly string[]): readonly string[] {
  const seen = new Set<string>();
  return arrived.flatMap((path) => {
    const twice = path.startsWith('/once/') && seen.has(path);
    seen.add(path);
    return twice ? [`${path} passed twice under a grant for one call`] : [];
  });
}
