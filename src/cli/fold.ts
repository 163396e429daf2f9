/** How a row of a table that is wider than the terminal goes on below: where a cell begins, or a sentence has a space. */

/** One cell of a row: its text as it is, how it is shown, and the width of its column. */
export interface Piece {
  readonly text: string;
  readonly width: number;
  /** Columns before the text, where numbers stand at the right. */
  readonly lead: number;
  readonly paint: (text: string) => string;
}

const GAP = 2;

/** The lines of one row, none longer than so many columns unless one word alone is. */
export function foldRow(pieces: readonly Piece[], columns: number): readonly string[] {
  const lines: string[] = [];
  const indent = (pieces[0]?.width ?? 0) + GAP;
  let [line, end, at] = ['', 0, 0];
  for (const [index, { text, width, lead, paint }] of pieces.entries()) {
    const isLast = index === pieces.length - 1;
    if (isLast && at + width > columns && end + GAP + width <= columns) at = columns - width; // just less of a gap
    const parts = isLast && at <= columns / 2 ? wordsWithin(text, columns - at) : [text];
    if (index > 0 && text !== '' && at + lead + widthOf(parts[0] ?? '') > columns) {
      lines.push(line);
      [line, end, at] = ['', 0, indent];
    }
    line += ' '.repeat(at + lead - end) + paint(parts[0] ?? '');
    for (const part of parts.slice(1)) {
      lines.push(line);
      line = ' '.repeat(at) + paint(part);
    }
    end = at + lead + widthOf(parts[0] ?? '');
    at += width + GAP;
  }
  return [...lines, line].map((each) => each.trimEnd());
}

/** The text in lines of so many columns, broken at spaces. */
function wordsWithin(text: string, columns: number): readonly string[] {
  const lines: string[] = [];
  let line: string | undefined;
  for (const word of text.split(' ')) {
    if (line !== undefined && widthOf(line) + 1 + widthOf(word) > columns) {
      lines.push(line);
      line = word;
    } else line = line === undefined ? word : `${line} ${word}`;
  }
  return line === undefined ? lines : [...lines, line];
}

/** Columns by code points: exact for Latin text, near enough for the rest. */
export function widthOf(text: string): number {
  return [...text].length;
}
