/** Entries as CSV (RFC 4180) for spreadsheets, none of whose cells can become a formula. */
import { safeText } from '../../config/safe-text.ts';
import { isJsonObject } from '../../crypto/json.ts';
import type { Json } from '../../crypto/json.ts';
import type { Document, Exported } from './export.ts';
import { memberOf, textOf } from '../statement-fields.ts';

const COLUMNS = [
  'seq', 'at', 'kind', 'verdict', 'code', 'reasons', 'agent', 'grant', 'method', 'origin', 'path', 'revision', 'permit',
  'status', 'request_bytes', 'response_bytes', 'duration_ms', 'ended', 'id',
] as const; // prettier-ignore

/** The line with the columns' names. */
export const csvHead = `${COLUMNS.join(',')}\r\n`;

/** One entry by column. A permit's row also says how its call ended. */
export function csvRow({ seq, statement, outcome }: Exported): Document {
  const predicate = memberOf(statement, 'predicate');
  const ended = memberOf(outcome, 'predicate') ?? predicate;
  const { call, grant } = { call: memberOf(predicate, 'call'), grant: memberOf(predicate, 'grant') };
  const [subject] = listOf(memberOf(statement, 'subject'));
  return {
    seq,
    at: memberOf(memberOf(predicate, 'entry'), 'at'),
    kind: /^urn:writ:(.+):v\d+$/.exec(textOf(memberOf(statement, 'predicateType')) ?? '')?.[1],
    verdict: memberOf(predicate, 'verdict'),
    code: memberOf(predicate, 'code') ?? memberOf(ended, 'by'),
    reasons: listOf(memberOf(predicate, 'reasons')).join(' '),
    agent: memberOf(grant, 'sub') ?? memberOf(predicate, 'sub'),
    grant: memberOf(listOf(memberOf(grant, 'chain')).at(-1), 'jti') ?? memberOf(predicate, 'jti'),
    method: memberOf(call, 'method'),
    origin: memberOf(call, 'origin'),
    path: memberOf(call, 'path'),
    revision: memberOf(memberOf(predicate, 'policy'), 'revision') ?? memberOf(predicate, 'revision'),
    permit: memberOf(predicate, 'permit'),
    status: memberOf(ended, 'status'),
    request_bytes: memberOf(memberOf(ended, 'request'), 'bytes'),
    response_bytes: memberOf(memberOf(ended, 'response'), 'bytes'),
    duration_ms: memberOf(ended, 'duration_ms'),
    ended: memberOf(ended, 'ended'),
    id: textOf(memberOf(subject, 'name'))?.replace('urn:uuid:', ''),
  };
}

/** A row as it stands in the file. */
export function csvLine(row: Document): string {
  return `${COLUMNS.map((name) => cell(row[name])).join(',')}\r\n`;
}

/** Spreadsheets take these for the beginning of a formula, their full-width forms and one after white space too. */
const FORMULA = /^\s*[=+\-@\uff1d\uff0b\uff0d\uff20|%]/;

function cell(value: unknown): string {
  if (typeof value === 'number') return String(value);
  const text = typeof value === 'string' ? safeText(value) : '';
  const harmless = FORMULA.test(text) ? `'${text}` : text;
  return /[",'\s]/.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless;
}

function listOf(value: Json | undefined): readonly Json[] {
  return Array.isArray(value)
    ? value.filter((item: Json) => isJsonObject(item) || typeof item === 'string')
    : [];
}
