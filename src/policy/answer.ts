/** A policy's answer is untrusted: it has exactly one shape, or it is a denial. */
import type { JsonObject } from '../crypto/json.ts';
import { isJsonObject } from '../crypto/json.ts';
import type { Json } from '../crypto/json.ts';
import { deny, pass } from '../denial/outcome.ts';
import type { Outcome } from '../denial/outcome.ts';
import type { Decision, Obligation } from './decision.ts';

/** A decision has at most so many. */
export const MAX_REASONS = 16;

const MAX_OBLIGATIONS = 64;
const reasonName = /^[a-z0-9_.]{1,64}$/;
const obligationTypes: ReadonlySet<unknown> = new Set<Obligation['type']>([
  'max_seconds',
  'max_request_bytes',
  'max_response_bytes',
]);

/**
 * The decision in an OPA result set: one result, whose value has exactly `allow`, `reasons` and `obligations`. The
 * decision comes out sorted, since OPA gives sets in the order of their hashes (formats.md §6).
 */
export function readAnswer(resultSet: Json | undefined): Outcome<Decision> {
  if (!Array.isArray(resultSet)) return deny('policy_malformed', 'the result set is not a list');
  const [first, ...others]: readonly Json[] = resultSet;
  if (first === undefined) return deny('policy_undefined', 'the decision is undefined');
  if (others.length > 0) return deny('policy_malformed', 'more than one result');
  if (!hasExactly(first, ['result'])) return deny('policy_malformed', 'a result of an unknown shape');
  return readDecision(first['result']);
}

function readDecision(value: Json | undefined): Outcome<Decision> {
  if (!hasExactly(value, ['allow', 'reasons', 'obligations']))
    return deny('policy_malformed', 'the decision is not {allow, reasons, obligations}');
  const { allow } = value;
  if (typeof allow !== 'boolean') return deny('policy_malformed', 'allow is not a boolean');
  const reasons = readReasons(value['reasons']);
  if (!reasons) return deny('policy_malformed', 'reasons are not at most 16 different names');
  if (allow && reasons.length > 0) return deny('policy_malformed', 'allowed, with reasons against it');
  const obligations = readObligations(value['obligations']);
  if (!obligations) return deny('policy_obligation', 'an obligation is unknown or has no positive integer');
  return pass({ allow, reasons, obligations });
}

function readReasons(value: Json | undefined): readonly string[] | undefined {
  if (!Array.isArray(value) || value.length > MAX_REASONS) return undefined;
  const names = value.filter((name): name is string => typeof name === 'string' && reasonName.test(name));
  if (names.length !== value.length || new Set(names).size !== names.length) return undefined;
  return names.sort();
}

function readObligations(value: Json | undefined): readonly Obligation[] | undefined {
  if (!Array.isArray(value) || value.length > MAX_OBLIGATIONS) return undefined;
  const list: Obligation[] = [];
  for (const item of value) {
    if (!isObligation(item)) return undefined;
    list.push({ type: item.type, value: item.value });
  }
  return list.sort(byTypeAndValue);
}

function isObligation(item: Json): item is JsonObject & Obligation {
  if (!hasExactly(item, ['type', 'value'])) return false;
  const { type, value } = item;
  return obligationTypes.has(type) && typeof value === 'number' && Number.isSafeInteger(value) && value > 0;
}

function hasExactly(value: Json | undefined, names: readonly string[]): value is JsonObject {
  if (!isJsonObject(value)) return false;
  return Object.keys(value).length === names.length && names.every((name) => Object.hasOwn(value, name));
}

/** The order of obligations in a decision. */
export function byTypeAndValue(a: Obligation, b: Obligation): number {
  return a.type === b.type ? a.value - b.value : a.type < b.type ? -1 : 1;
}

/** RFC 8785 text of a decision: its names are sorted here, and its strings and integers have one spelling. */
export function decisionText({ allow, obligations, reasons }: Decision): string {
  const sorted = obligations.map(({ type, value }) => ({ type, value }));
  return JSON.stringify({ allow, obligations: sorted, reasons });
}
