/** Reads the body of a 403 as it came off the wire. Portable. */
import { canonicalJson, isJsonObject, parseStrictJson } from '../crypto/json.ts';
import type { Json, JsonObject } from '../crypto/json.ts';

const MEMBERS = new Set([
  'type',
  'title',
  'status',
  'detail',
  'instance',
  'code',
  'remedy',
  'opening',
  'receipt',
  'proof',
]);

/** A denial's body. Nothing in it is verified. */
export interface DenialBody {
  readonly receipt: Json | undefined;
  readonly proof: Json | undefined;
  /** Everything else: what the receipt’s `shown` is over. */
  readonly shown: JsonObject;
}

/** The body in this text (attacker-controlled), or undefined: it must re-serialise to itself and have no unknown member. */
export function parseDenialBody(text: string): DenialBody | undefined {
  const value = parseStrictJson(text);
  if (!isJsonObject(value) || JSON.stringify(value) !== text) return undefined;
  if (!Object.keys(value).every((name) => MEMBERS.has(name))) return undefined;
  const { receipt, proof, ...shown } = value;
  return { receipt, proof, shown };
}

/** What `shown` is the SHA-256 of: RFC 8785 text of the body without receipt and proof. */
export function shownText(shown: JsonObject): string {
  return canonicalJson(shown);
}
