/** Form bodies: `application/x-www-form-urlencoded` in full, `multipart/form-data` as a list of what it holds. */
import { decodeUtf8 } from '../crypto/bytes.ts';
import { pass } from '../denial/outcome.ts';
import type { Outcome } from '../denial/outcome.ts';
import { unparsable } from './json-content.ts';
import { multimap } from './multimap.ts';

/** Names with all their values, attacker-controlled. */
export type FormFields = Readonly<Record<string, readonly string[]>>;

/** One part of a multipart body; its bytes are not shown. */
export interface FormPart {
  readonly name: string;
  readonly filename?: string;
  /** Media type as written; absent where the part names none. */
  readonly type?: string;
  readonly bytes: number;
}

const MAX_FIELDS = 1000;

/** The fields as the URL Standard's form parser reads them (§5.1): `+` is a space, a broken escape stands for itself. */
export function readForm(body: Uint8Array): Outcome<FormFields> {
  const text = decodeUtf8(body);
  if (text === undefined) return unparsable('a form that is not UTF-8');
  if (text.split('&', MAX_FIELDS + 1).length > MAX_FIELDS)
    return unparsable(`a form of more than ${MAX_FIELDS} fields`); // not left to the parser: it takes 10 s for 500,000
  return pass(multimap(new URLSearchParams(`?${text}`)));
}

const BOUNDARY = /^[0-9A-Za-z'()+_,\-./:=? ]{0,69}[0-9A-Za-z'()+_,\-./:=?]$/;
const DISPOSITION = /^form-data; name="([^"\\\r\n%]*)"(?:; filename="([^"\\\r\n%]*)")?$/;
const HEADER = /^(content-disposition|content-type): ([\x20-\x7e\x80-\xff]*)$/i;

/**
 * The parts of a multipart body in the one spelling that every client writes and every server reads alike (RFC 7578);
 * undefined for any other, which nobody can say the meaning of.
 */
export function readMultipart(
  body: Uint8Array,
  boundary: string | undefined,
): readonly FormPart[] | undefined {
  if (boundary === undefined || !BOUNDARY.test(boundary)) return undefined;
  const text = Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('latin1');
  const [before, ...pieces] = `\r\n${text}`.split(`\r\n--${boundary}`);
  const after = pieces.pop();
  if (before !== '' || (after !== '--' && after !== '--\r\n') || pieces.length > MAX_FIELDS) return undefined;
  if (pieces.some((piece) => piece.includes(`--${boundary}`))) return undefined; // behind a bare LF it is one to some
  const parts: FormPart[] = [];
  for (const piece of pieces) {
    const part = readPart(piece);
    if (!part) return undefined;
    parts.push(part);
  }
  return parts;
}

function readPart(piece: string): FormPart | undefined {
  const end = piece.indexOf('\r\n\r\n');
  if (end < 0 || !piece.startsWith('\r\n')) return undefined;
  const headers = new Map<string, string>();
  for (const line of piece.slice(2, end).split('\r\n')) {
    const [, name = '', value = ''] = HEADER.exec(line) ?? [];
    if (name === '' || headers.has(name.toLowerCase())) return undefined;
    headers.set(name.toLowerCase(), value);
  }
  const [, name, filename] = DISPOSITION.exec(utf8(headers.get('content-disposition'))) ?? [];
  if (name === undefined) return undefined;
  const type = headers.get('content-type');
  return {
    name,
    ...(filename === undefined ? {} : { filename }),
    ...(type === undefined ? {} : { type: utf8(type) }),
    bytes: piece.length - end - 4,
  };
}

/** Octets held as latin1, as UTF-8; what is not UTF-8 stays no match. */
function utf8(octets = ''): string {
  return decodeUtf8(Buffer.from(octets, 'latin1')) ?? '';
}
