/** A JSON body as a policy may see it: in exactly one reading, or not at all (RFC 8259, RFC 7493). */
import { decodeUtf8 } from '../crypto/bytes.ts';
import { faultInText } from '../crypto/json-text.ts';
import { isJsonObject } from '../crypto/json.ts';
import type { Json, JsonObject } from '../crypto/json.ts';
import { deny, pass } from '../denial/outcome.ts';
import type { Outcome, Refusal } from '../denial/outcome.ts';
import { isExactNumber } from './exact-number.ts';

/**
 * The value of a body (attacker-controlled). `content_unparsable` for whatever another parser could read differently:
 * bytes that are not UTF-8, a byte-order mark, duplicate members, numbers that a double rounds or whose neighbours it does,
 * lone surrogates, depth over 64.
 */
export function readJson(body: Uint8Array): Outcome<Json> {
  const text = decodeUtf8(body);
  if (text === undefined) return unparsable('not UTF-8');
  let value: Json;
  try {
    value = JSON.parse(text) as Json; // `faultInText` looks at what the type claims
  } catch {
    return unparsable('not JSON');
  }
  const fault = faultInText(text, isExactNumber); // not at the value: a walk through it costs more than its parser
  return fault === undefined ? pass(value) : unparsable(fault);
}

/** A member of an object: its own, never one of a prototype. */
export function member(object: JsonObject, name: string): Json | undefined {
  return Object.hasOwn(object, name) ? object[name] : undefined;
}

/** An object's member that is itself an object; an empty one where there is none. */
export function objectMember(object: JsonObject, name: string): JsonObject {
  const value = member(object, name);
  return isJsonObject(value) ? value : {};
}

/**
 * The first member whose name some parsers (Go's) take for one of these, though it is spelled otherwise. `names` are in
 * lower case or camel case.
 */
export function lookalike(object: JsonObject, names: readonly string[]): string | undefined {
  const folded = new Map(names.map((name) => [fold(name), name]));
  return Object.keys(object).find((name) => !names.includes(name) && folded.has(fold(name)));
}

/** A body that has no single reading. */
export function unparsable(detail: string): Refusal {
  return deny('content_unparsable', detail);
}

/** A name in one case: both ways, so that `ſ` and the Kelvin sign meet `s` and `k`, as in Unicode's simple folding. */
export function fold(name: string): string {
  return name.toUpperCase().toLowerCase();
}
