/** Reads the statement of a denial strictly, out of signed bytes. Portable. */
import { decodeUtf8, toHex } from '../crypto/bytes.ts';
import { canonicalJson, isJsonObject, parseStrictJson } from '../crypto/json.ts';
import type { Json, JsonObject } from '../crypto/json.ts';
import type { Suite } from '../crypto/suite.ts';

/** A statement that refuses a call: recorded as an entry, or answered without being recorded. */
export type DenialStatement = {
  readonly statement: JsonObject;
  readonly id: string;
  readonly code: string;
  readonly shown: string;
} & (
  | { readonly kind: 'decision'; readonly origin: string; readonly seq: number }
  | { readonly kind: 'refusal'; readonly why: string }
);

/** The denial in these bytes, or which of the two faults they have. */
export function readDenialStatement(
  suite: Suite,
  bytes: Uint8Array,
): DenialStatement | 'statement_malformed' | 'statement_not_denial' {
  const statement = parseCanonical(bytes);
  const predicate = statement?.predicate;
  if (!statement || !isJsonObject(predicate) || !hasStatementShape(statement)) return 'statement_malformed';
  const kind = kinds.get(String(statement.predicateType));
  if (!kind || predicate.verdict !== 'deny') return 'statement_not_denial';
  const { code, shown, call } = predicate;
  const id = call === undefined ? undefined : subjectId(suite, statement.subject, call);
  if (id === undefined || typeof code !== 'string' || typeof shown !== 'string') return 'statement_malformed';
  const common = { statement, id, code, shown };
  if (kind === 'refusal') return readRefusal(predicate, common);
  return readDecision(predicate, common);
}

/** The statement of an entry of a log. */
export interface EntryStatement {
  readonly statement: JsonObject;
  readonly origin: string;
  readonly seq: number;
}

/** The entry's statement in these bytes, whatever it says, or undefined. */
export function readEntryStatement(suite: Suite, bytes: Uint8Array): EntryStatement | undefined {
  const statement = parseCanonical(bytes);
  const predicate = statement?.predicate;
  if (!statement || !isJsonObject(predicate) || !hasStatementShape(statement)) return undefined;
  const { entry: _place, call, ...own } = predicate;
  if (subjectId(suite, statement.subject, call ?? own) === undefined) return undefined;
  const place = /^urn:writ:[a-z]+:v1$/.test(String(statement.predicateType))
    ? readPlace(predicate.entry)
    : undefined;
  return place && { statement, ...place };
}

type Common = Pick<DenialStatement, 'statement' | 'id' | 'code' | 'shown'>;

const kinds: ReadonlyMap<string, 'decision' | 'refusal'> = new Map([
  ['urn:writ:decision:v1', 'decision'],
  ['urn:writ:refusal:v1', 'refusal'],
]);

function readDecision(predicate: JsonObject, common: Common): DenialStatement | 'statement_malformed' {
  const place = readPlace(predicate.entry);
  return place ? { ...common, kind: 'decision', ...place } : 'statement_malformed';
}

/** The place in a log that the `entry` member names. */
function readPlace(entry: Json | undefined): Pick<EntryStatement, 'origin' | 'seq'> | undefined {
  if (!isJsonObject(entry) || Object.keys(entry).join() !== 'at,origin,prev,seq') return undefined;
  const { origin, seq } = entry;
  return typeof origin === 'string' && typeof seq === 'number' && seq >= 0 ? { origin, seq } : undefined;
}

function readRefusal(predicate: JsonObject, common: Common): DenialStatement | 'statement_malformed' {
  const { at, origin, why, entry } = predicate;
  if (typeof at !== 'string' || typeof origin !== 'string' || typeof why !== 'string' || entry !== undefined)
    return 'statement_malformed';
  return { ...common, kind: 'refusal', why };
}

/** Bytes that are exactly the canonical JSON of an object. */
function parseCanonical(bytes: Uint8Array): JsonObject | undefined {
  const text = decodeUtf8(bytes);
  const value = text === undefined ? undefined : parseStrictJson(text);
  return isJsonObject(value) && canonicalJson(value) === text ? value : undefined;
}

function hasStatementShape(statement: JsonObject): boolean {
  return (
    Object.keys(statement).join() === '_type,predicate,predicateType,subject' &&
    statement._type === 'https://in-toto.io/Statement/v1'
  );
}

/** The UUID of the one subject, where its digests (SHA3-512 among them) are those of what it is over. */
function subjectId(suite: Suite, subjects: Json | undefined, over: Json): string | undefined {
  if (!Array.isArray(subjects) || subjects.length !== 1) return undefined;
  const text = canonicalJson(over);
  const digest = { sha256: toHex(suite.sha256(text)), sha3_512: toHex(suite.sha3_512(text)) };
  const subject = subjects[0] as Json; // an element of a Json array
  const name = isJsonObject(subject) ? subject.name : undefined;
  if (typeof name !== 'string' || canonicalJson(subject) !== canonicalJson({ digest, name }))
    return undefined;
  return /^urn:uuid:([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/.exec(name)?.[1];
}
