/** JSON that is hashed or signed: a strict I-JSON gate (RFC 7493) before RFC 8785 canonical form. */
import canonicalize from 'canonicalize';
import { faultInText, MAX_DEPTH } from './json-text.ts';

/** What may be hashed: no floats, no undefined. */
export type Json = null | boolean | number | string | readonly Json[] | JsonObject;
/** A plain object of `Json`. */
export interface JsonObject {
  readonly [name: string]: Json;
}

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
    value = JSON.parse(text) as Json; // `faultIn` and `faultInText` check what the type claims
  } catch {
    return undefined;
  }
  return faultIn(value, 0) || faultInText(text) ? undefined : value;
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
