/** How a statement of the log is shown to people: its facts in few lines. */
import { isJsonObject } from '../crypto/json.ts';
import type { Json, JsonObject } from '../crypto/json.ts';
import type { Cell, Style } from './table.ts';

/** `name  value` lines of any statement. Absent facts are left out. */
export function statementFields(statement: Json): readonly (readonly [name: string, value: Cell])[] {
  const predicate = memberOf(statement, 'predicate');
  const entry = memberOf(predicate, 'entry');
  const grant = memberOf(predicate, 'grant');
  const reasons = memberOf(predicate, 'reasons');
  return [
    ['what', { text: whatOf(statement), style: styleOf(predicate) }],
    ['grpc status', numberText(memberOf(predicate, 'grpc_status'))],
    ['reasons', Array.isArray(reasons) && reasons.length > 0 ? reasons.join(', ') : undefined],
    ['call', callOf(predicate) || undefined],
    ['agent', textOf(memberOf(grant, 'sub'))],
    ['intent', textOf(memberOf(grant, 'intent'))],
    ['policy', textOf(memberOf(memberOf(predicate, 'policy'), 'revision'))],
    ['at', textOf(memberOf(entry, 'at') ?? memberOf(predicate, 'at'))],
    ['entry', numberText(memberOf(entry, 'seq'))],
    ['log', textOf(memberOf(entry, 'origin') ?? memberOf(predicate, 'origin'))],
    ['id', idOf(statement)],
  ];
}

/** One word or two: `deny grant_expired`, `permit`, `outcome complete`, `genesis`. */
export function whatOf(statement: Json): string {
  const predicate = memberOf(statement, 'predicate');
  const name =
    /^urn:writ:(.+):v\d+$/.exec(textOf(memberOf(statement, 'predicateType')) ?? '')?.[1] ?? 'unknown';
  const verdict = textOf(memberOf(predicate, 'verdict'));
  const code = textOf(memberOf(predicate, 'code')) ?? textOf(memberOf(predicate, 'ended'));
  return [verdict ?? name, code].filter(Boolean).join(' ');
}

/** `GET http://host/path`, or what is known of a call that could not be read; empty where there is no call. */
export function callOf(predicate: Json | undefined): string {
  const call = memberOf(predicate, 'call');
  const method = textOf(memberOf(call, 'method'));
  if (method === undefined) return '';
  const target = `${textOf(memberOf(call, 'origin')) ?? ''}${textOf(memberOf(call, 'path')) ?? ''}`;
  return `${method} ${target || '(unreadable target)'}`;
}

/** The style of a statement: denials stand out. */
export function styleOf(predicate: Json | undefined): Style {
  const verdict = memberOf(predicate, 'verdict');
  if (verdict === 'permit') return 'good';
  return verdict === 'deny' ? 'bad' : 'name';
}

/** A member of a value that may be anything. */
export function memberOf(value: Json | undefined, name: string): Json | undefined {
  return isJsonObject(value) && Object.hasOwn(value, name) ? (value as JsonObject)[name] : undefined;
}

/** A text, where it is one. */
export function textOf(value: Json | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function numberText(value: Json | undefined): string | undefined {
  return typeof value === 'number' ? String(value) : undefined;
}

function idOf(statement: Json): string | undefined {
  const subject = memberOf(statement, 'subject');
  return Array.isArray(subject) ? textOf(memberOf(subject[0] as Json, 'name')) : undefined; // an element of a Json array
}
