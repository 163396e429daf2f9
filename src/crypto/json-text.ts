/** What the text of JSON says that its parsed value no longer does, or only a dear walk through it would tell. */

/** How deep lists and objects may stand in each other. */
export const MAX_DEPTH = 64;

/**
 * The first fault in this (valid) JSON text, in one pass: depth over 64, an object that names a member twice in whatever
 * spelling, a lone surrogate, or a number that `isFine` does not take. It is asked about those that have an exponent or more
 * than 15 characters, as written but for their sign.
 */
export function faultInText(
  text: string,
  isFine: (number: string) => boolean = () => true,
): string | undefined {
  const open: (Set<string> | null)[] = []; // null for an array
  let at = 0;
  while (at < text.length) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) {
      const string = stringAt(text, at);
      if (string.isLone) return 'a lone surrogate';
      const names = isName(text, string.end) ? open.at(-1) : undefined;
      if (names && isAgain(names, text.slice(at, string.end), string.isEscaped)) return 'a member twice';
      at = string.end;
    } else if (isDigit(code)) {
      const end = numberEnd(text, at);
      if (isLong(text, at, end) && !isFine(text.slice(at, end))) return 'a number that would be rounded';
      at = end;
    } else {
      if (code === OPEN_OBJECT || code === OPEN_ARRAY) open.push(code === OPEN_OBJECT ? new Set() : null);
      else if (code === CLOSE_OBJECT || code === CLOSE_ARRAY) open.pop();
      if (open.length > MAX_DEPTH) return `deeper than ${MAX_DEPTH}`;
      at++;
    }
  }
  return undefined;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

/** Whether an object has that name already, as quoted in the text; it has it from here on. */
function isAgain(names: Set<string>, quoted: string, isEscaped: boolean): boolean {
  const before = names.size;
  names.add(isEscaped ? String(JSON.parse(quoted)) : quoted.slice(1, -1));
  return names.size === before;
}

/** The string that opens at `start`. */
function stringAt(text: string, start: number): { end: number; isEscaped: boolean; isLone: boolean } {
  let isEscaped = false;
  let at = start + 1;
  for (let code = text.charCodeAt(at); code !== QUOTE && at < text.length; code = text.charCodeAt(at)) {
    if (code !== BACKSLASH) at++;
    else {
      isEscaped = true;
      const length = escapeLength(text, at);
      if (length === 0) return { end: at, isEscaped, isLone: true };
      at += length;
    }
  }
  return { end: at + 1, isEscaped, isLone: false };
}

/** How long the escape at `at` is, both halves of a pair together; 0 for half a pair. */
function escapeLength(text: string, at: number): number {
  const first = surrogateAt(text, at);
  if (first === undefined) return 2;
  const second = surrogateAt(text, at + 6) ?? 0;
  return first < 0xdc00 && second >= 0xdc00 ? 12 : 0;
}

/** The half of a pair that is written as an escape (`\ud83d`) there; undefined for anything else. */
function surrogateAt(text: string, at: number): number | undefined {
  if (text[at] !== '\\' || text[at + 1] !== 'u' || (text[at + 2] !== 'd' && text[at + 2] !== 'D'))
    return undefined;
  const unit = Number.parseInt(text.slice(at + 2, at + 6), 16);
  return unit >= 0xd800 ? unit : undefined;
}

function isName(text: string, end: number): boolean {
  let at = end;
  while (' \t\n\r'.includes(text[at] ?? '"')) at++;
  return text.charCodeAt(at) === COLON;
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}

function numberEnd(text: string, start: number): number {
  let at = start + 1;
  while (isDigit(text.charCodeAt(at)) || '.eE+-'.includes(text[at] ?? '"')) at++;
  return at;
}

const MAX_SHORT = 15;

function isLong(text: string, start: number, end: number): boolean {
  if (end - start > MAX_SHORT) return true;
  for (let at = start + 1; at < end; at++) if (text[at] === 'e' || text[at] === 'E') return true;
  return false;
}
