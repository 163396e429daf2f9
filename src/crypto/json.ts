/** JSON that is hashed or signed: a strict I-JSON gate (RFC 7493) before RFC 8785 canonical form. */
import canonicalize from 'canonicalize';

/** What may be hashed: no floats, no undefined. */
export type Json = null | boolean | number | string | readonly Json[] | JsonObject;
/** A plain object of `Json`. */
export interface JsonObject {
  readonly [name: string]: Json;
}

const MAX_DEPTH = 64;

/**
 * RFC 8785 text of plain objects, arrays, strings, booleans, null and safe integers. Throws on anything else
 * (a float, −0, a lone surrogate, depth over 64): such a value is a fault of the program that built it.
 */
export function canonicalJson(value: Json): string {
  const fault = faultIn(value, 0);
  if (fault) throw new TypeError(`cannot be canonical JSON: ${fault}`);
  const text = canonicalize(value);
  if (text === undefined) throw new TypeError('cannot be canonical JSON');
  return text;
}

/**
 * The value of strict JSON text (attacker-controlled), or undefined: syntax, duplicate keys, floats, integers out of
 * the safe range, −0, lone surrogates, depth over 64 and a `__proto__` member are all faults.
 */
export function parseStrictJson(text: string): Json | undefined {
  let value: Json;
  try {
    value = JSON.parse(text) as Json; // `faultIn` and `hasDuplicateKey` check what the type claims
  } catch {
    return undefined;
  }
  return faultIn(value, 0) || hasDuplicateKey(text) ? undefined : value;
}

/** Whether a value is a JSON object (not an array, not null). */
export function isJsonObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function faultIn(value: unknown, depth: number): string | undefined {
  if (depth > MAX_DEPTH) return `deeper than ${MAX_DEPTH}`;
  switch (typeof value) {
    case 'boolean':
      return undefined;
    case 'number':
      return Number.isSafeInteger(value) && !Object.is(value, -0) ? undefined : 'not a safe integer';
    case 'string':
      return value.isWellFormed() ? undefined : 'a lone surrogate';
    case 'object':
      return value === null ? undefined : faultInMembers(value, depth);
    default:
      return `a ${typeof value}`;
  }
}

function faultInMembers(value: object, depth: number): string | undefined {
  if (Array.isArray(value)) return firstFault(value, depth);
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return 'not a plain object';
  const names = Object.keys(value);
  if (names.includes('__proto__')) return 'a member __proto__';
  return firstFault(names, depth) ?? firstFault(Object.values(value), depth);
}

function firstFault(values: readonly unknown[], depth: number): string | undefined {
  for (const value of values) {
    const fault = faultIn(value, depth + 1);
    if (fault) return fault;
  }
  return undefined;
}

/** Whether any object in this (valid) JSON text names a member twice, in whatever spelling of escapes. Linear. */
export function hasDuplicateKey(text: string): boolean {
  const open: (Set<unknown> | null)[] = []; // null for an array
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    if (character === '{') open.push(new Set());
    else if (character === '[') open.push(null);
    else if (character === '}' || character === ']') open.pop();
    else if (character === '"') {
      const end = stringEnd(text, at);
      const names = isName(text, end) ? open.at(-1) : undefined;
      const name: unknown = names && JSON.parse(text.slice(at, end));
      if (names?.has(name)) return true;
      names?.add(name);
      at = end - 1;
    }
  }
  return false;
}

/** Behind the closing quote of the string that opens at `start`: the first that no odd run of backslashes precedes. */
function stringEnd(text: string, start: number): number {
  for (let at = text.indexOf('"', start + 1); at >= 0; at = text.indexOf('"', at + 1)) {
    let backslash = at - 1;
    while (text[backslash] === '\\') backslash--;
    if ((at - backslash) % 2 === 1) return at + 1;
  }
  return text.length;
}

/** Those numbers of this (valid) JSON text that have an exponent or more than 15 digits, as written but for their sign. */
export function* longNumbersIn(text: string): Generator<string, void> {
  const next = /"|\d[\d.]{15}|\d[eE]/g;
  for (let found = next.exec(text); found; found = next.exec(text)) {
    const isText = found[0] === '"';
    const end = isText ? stringEnd(text, found.index) : numberEnd(text, found.index);
    if (!isText) yield text.slice(numberStart(text, found.index), end);
    next.lastIndex = end;
  }
}

function numberStart(text: string, within: number): number {
  let at = within;
  while ('0123456789.'.includes(text[at - 1] ?? '"')) at--;
  return at;
}

function numberEnd(text: string, within: number): number {
  let at = within;
  while ('0123456789.eE+-'.includes(text[at] ?? '"')) at++;
  return at;
}

function isName(text: string, end: number): boolean {
  let at = end;
  while (' \t\n\r'.includes(text[at] ?? '"')) at++;
  return text[at] === ':';
}
