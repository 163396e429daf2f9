/**
 * How every command prints: readable tables and colours on a terminal, plain text in a pipe. What goes on the screen
 * may hold text of an agent, an upstream or a file: all of it is made visible, none of it can steer the terminal.
 */
import { styleText } from 'node:util';
import { safeText, UNSAFE } from '../config/safe-text.ts';
import { foldRow, widthOf } from './fold.ts';
import type { Piece } from './fold.ts';

/** Styles by meaning, so that the same thing looks the same in every command. */
export type Style = 'good' | 'bad' | 'warn' | 'dim' | 'strong' | 'name';

/** One cell: plain, or with a style. */
export type Cell =
  string | number | boolean | null | undefined | { readonly text: string; readonly style: Style };

/** What a screen needs of a stream; `process.stdout` is one. */
export interface Sink {
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
  write(text: string): unknown;
}

/** A place to print to. */
export interface Screen {
  /** Whether colours are shown: a terminal, and `NO_COLOR` not set. */
  readonly colour: boolean;
  /** One line. Untrusted text in it must have gone through `safeText` or `paint`. */
  line(text?: string): void;
  /** Escaped text in a style; just the escaped text where there are no colours. */
  paint(style: Style, text: string): string;
  /** Columns, aligned, and rows that are too wide for a terminal folded. In a pipe: one line each, without colours. */
  table(head: readonly string[], rows: readonly (readonly Cell[])[]): void;
  /** `name  value` lines, aligned. Absent values are left out. */
  fields(rows: readonly (readonly [name: string, value: Cell])[]): void;
  /** A JSON document, indented by 2, one line feed at its end. */
  json(value: unknown): void;
  /** A JSON document on one line (JSON Lines). */
  jsonLine(value: unknown): void;
}

const FORMATS = {
  good: ['green'],
  bad: ['red', 'bold'],
  warn: ['yellow'],
  dim: ['dim'],
  strong: ['bold'],
  name: ['cyan'],
} as const;

/** Columns; what is narrower is not worth folding for. */
const NARROWEST = 40;

/** A screen on a stream. `env` decides about colours (`NO_COLOR`, `FORCE_COLOR`, `TERM=dumb`). */
export function makeScreen(sink: Sink, env: Readonly<Record<string, string | undefined>>): Screen {
  const colour = wantsColour(sink, env);
  const paint = (style: Style, text: string): string => {
    const [first, ...rest] = FORMATS[style];
    const safe = safeText(text);
    return colour ? styleText([first, ...rest], safe, { validateStream: false }) : safe;
  };
  const line = (text = ''): void => void sink.write(`${text}\n`);
  return {
    colour,
    line,
    paint,
    table: (head, rows) => {
      const titled = head.map((text) => ({ text, style: 'dim' as const }));
      for (const text of align(head.length > 0 ? [titled, ...rows] : rows, paint, columnsOf(sink)))
        line(text);
    },
    fields: (rows) => {
      const present = rows.filter(([, value]) => value !== undefined);
      const named = present.map(([name, value]) => [{ text: name, style: 'dim' as const }, value]);
      for (const text of align(named, paint, columnsOf(sink))) line(text);
    },
    json: (value) => line(safeJson(value)),
    jsonLine: (value) => line(safeJson(value, 0)),
  };
}

/** JSON text, indented by so many spaces (0: on one line), that no terminal can be steered by; still the same JSON. */
export function safeJson(value: unknown, indent = 2): string {
  const text = JSON.stringify(value, null, indent);
  return text.replace(UNSAFE, (letter) => (letter === '\n' ? letter : jsonEscape(letter)));
}

function jsonEscape(letter: string): string {
  return Array.from({ length: letter.length }, (_, i) => {
    return `\\u${letter.charCodeAt(i).toString(16).padStart(4, '0')}`;
  }).join('');
}

function wantsColour(sink: Sink, env: Readonly<Record<string, string | undefined>>): boolean {
  if (env['NO_COLOR']) return false;
  if (env['FORCE_COLOR']) return env['FORCE_COLOR'] !== '0';
  return sink.isTTY === true && env['TERM'] !== 'dumb';
}

/** A pipe has no end of the line, and a terminal that tells no width, or hardly any, is treated as one. */
function columnsOf({ isTTY, columns = 0 }: Sink): number {
  return isTTY === true && columns >= NARROWEST ? columns : Infinity;
}

function align(
  rows: readonly (readonly Cell[])[],
  paint: (style: Style, text: string) => string,
  columns: number,
): readonly string[] {
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, i) => (widths[i] = Math.max(widths[i] ?? 0, widthOf(safeText(textOf(cell))))));
  }
  return rows.flatMap((row) =>
    foldRow(
      row.map((cell, i) => pieceOf(cell, widths[i] ?? 0, paint)),
      columns,
    ),
  );
}

function pieceOf(cell: Cell, width: number, paint: (style: Style, text: string) => string): Piece {
  const text = safeText(textOf(cell));
  const styled = typeof cell === 'object' && cell !== null;
  return {
    text,
    width,
    lead: typeof cell === 'number' ? width - widthOf(text) : 0,
    paint: (part) => (styled ? paint(cell.style, part) : part),
  };
}

function textOf(cell: Cell): string {
  if (cell === null || cell === undefined) return '–';
  return typeof cell === 'object' ? cell.text : String(cell);
}
