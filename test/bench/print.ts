/** What the bench says: figures to its output, progress beside it. */

/** The value in the middle. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? NaN;
}

/** One row of a table. */
export function print(cells: readonly string[]): void {
  const [name = '', ...figures] = cells;
  process.stdout.write(`${name.padEnd(42)}${figures.map((figure) => figure.padStart(9)).join('')}\n`);
}

/** How far it is. */
export function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

/** Ends the bench: a figure of wrong answers is none. */
export function fail(why: string): never {
  throw new Error(why);
}
