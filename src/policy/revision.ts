/** Which of two revisions is older, where they can be compared: a policy never goes back by accident (threats.md §4). */

/** Numbers between dots or dashes, after an optional `v` [ours]: `12`, `v1.4.0`, `2026-11-21.2`. */
const NUMBERED = /^v?\d{1,10}(?:[.-]\d{1,10})*$/;

/**
 * Whether `candidate` comes before `active`. Revisions of other shapes, such as those made from the sources, or of
 * another number of parts have no order: never older.
 */
export function isOlder(candidate: string, active: string): boolean {
  const [a, b] = [numbersOf(candidate), numbersOf(active)];
  if (!a || a.length !== b?.length) return false;
  const at = a.findIndex((number, i) => number !== b[i]);
  return at >= 0 && (a[at] ?? 0) < (b[at] ?? 0);
}

function numbersOf(revision: string): readonly number[] | undefined {
  return NUMBERED.test(revision) ? revision.replace('v', '').split(/[.-]/).map(Number) : undefined;
}
