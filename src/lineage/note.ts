/** Signed notes (c2sp.org/signed-note): text, a blank line, signature lines. Strict and portable. */
import { fromBase64, toBase64 } from '../crypto/base64.ts';
import { concatBytes, encodeUtf8, equalBytes, toHex } from '../crypto/bytes.ts';
import { loadPublicKey } from '../crypto/key.ts';
import type { PublicKey, Suite } from '../crypto/suite.ts';

const MAX_SIGNATURES = 64;
/** Room for 16 signatures of the largest kind that signed-note speaks of (5 kB, here in base64), and more than that. */
const MAX_LENGTH = 131_072;

/** What a key signs notes as; the byte of c2sp.org/signed-note#signature-types. */
export const signatureTypes = { log: 0x01, witness: 0x04 } as const;
/** `log`: Ed25519 over the text. `witness`: timestamped cosignature/v1. */
export type SignatureType = keyof typeof signatureTypes;

/** A key that may sign notes under a name. */
export interface NoteKey {
  readonly name: string;
  readonly type: SignatureType;
  readonly key: PublicKey;
  /** The first four bytes of SHA-256(name ‖ 0x0A ‖ type ‖ public key). */
  readonly id: Uint8Array;
}

/** One signature line. */
export interface NoteSignature {
  readonly name: string;
  readonly id: Uint8Array;
  /** What follows the id: 64 bytes of a log, 8 + 64 of a witness. */
  readonly signature: Uint8Array;
}

/** A parsed note. Nothing in it is verified. */
export interface SignedNote {
  /** With its final newline. */
  readonly text: string;
  readonly signatures: readonly NoteSignature[];
}

/** The note key of a public key under a name. Throws on a name that cannot stand in a note. */
export function noteKey(suite: Suite, { name, type, key }: Omit<NoteKey, 'id'>): NoteKey {
  if (!isNoteName(name)) throw new TypeError(`not a note name: ${JSON.stringify(name)}`);
  return { name, type, key, id: keyId(suite, name, encodedKey(type, key)) };
}

/** `<name>+<id>+<base64 key>`: a verifier key as text. */
export function formatNoteKey({ name, type, key, id }: NoteKey): string {
  return `${name}+${toHex(id)}+${toBase64(encodedKey(type, key))}`;
}

/** The note key of this text, or undefined. Its id must be right and its key pass our Ed25519 profile. */
export function parseNoteKey(suite: Suite, text: string): NoteKey | undefined {
  const [, name, id, encoded] = /^([^+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/]{44})$/u.exec(text) ?? [];
  const bytes = fromBase64(encoded ?? '');
  if (!name || !isNoteName(name) || bytes?.length !== 33) return undefined;
  const type =
    bytes[0] === signatureTypes.log ? 'log' : bytes[0] === signatureTypes.witness ? 'witness' : null;
  const key = loadPublicKey(bytes.subarray(1));
  if (!type || !key) return undefined;
  const made = noteKey(suite, { name, type, key });
  return toHex(made.id) === id ? made : undefined;
}

/** Whether a name can stand in a note: not empty, no white space, no plus, no control character. */
export function isNoteName(name: string): boolean {
  return name.isWellFormed() && /^[^\p{White_Space}\p{Cc}+]+$/u.test(name);
}

/** The note with one signature; `text` ends in a newline. */
export function formatNote(text: string, { name, id, signature }: NoteSignature): string {
  return `${text}\n— ${name} ${toBase64(concatBytes(id, signature))}\n`;
}

/** The note in this text (attacker-controlled), or undefined. */
export function parseNote(note: string): SignedNote | undefined {
  if (note.length > MAX_LENGTH || !note.isWellFormed() || /[\0-\x09\x0b-\x1f]/.test(note)) return undefined;
  const border = note.lastIndexOf('\n\n');
  if (border < 0 || !note.endsWith('\n')) return undefined;
  const lines = note.slice(border + 2, -1).split('\n');
  if (lines.length > MAX_SIGNATURES) return undefined;
  const signatures = lines.map(parseSignature).filter((line) => line !== undefined);
  return signatures.length === lines.length ? { text: note.slice(0, border + 1), signatures } : undefined;
}

/**
 * Who of `keys` signed the note. Unknown keys are ignored; a bad or repeated signature of a known key makes the whole
 * note worthless: undefined.
 */
export function noteSigners(
  suite: Suite,
  note: SignedNote,
  keys: readonly NoteKey[],
): readonly NoteKey[] | undefined {
  const signers: NoteKey[] = [];
  for (const line of note.signatures) {
    const known = keys.find((key) => key.name === line.name && equalBytes(key.id, line.id));
    if (!known) continue;
    if (signers.includes(known) || !signedBy(suite, known, { text: note.text, signature: line.signature }))
      return undefined;
    signers.push(known);
  }
  return signers;
}

function signedBy(
  suite: Suite,
  { type, key }: NoteKey,
  { text, signature }: { readonly text: string; readonly signature: Uint8Array },
): boolean {
  if (type === 'log') return suite.verify(key, encodeUtf8(text), signature);
  if (signature.length !== 72) return false;
  const time = new DataView(signature.buffer, signature.byteOffset).getBigUint64(0);
  return time < 2n ** 63n && suite.verify(key, encodeUtf8(cosignedText(text, time)), signature.subarray(8));
}

/** What a witness signs: the time (Unix, seconds) and the note's text (c2sp.org/tlog-cosignature, Ed25519). */
export function cosignedText(text: string, time: bigint): string {
  return `cosignature/v1\ntime ${time}\n${text}`;
}

function parseSignature(line: string): NoteSignature | undefined {
  const [, name, encoded] = /^— ([^ ]+) ([A-Za-z0-9+/=]+)$/u.exec(line) ?? [];
  const bytes = fromBase64(encoded ?? '');
  if (!name || !isNoteName(name) || !bytes || bytes.length < 5) return undefined;
  return { name, id: bytes.subarray(0, 4), signature: bytes.subarray(4) };
}

function encodedKey(type: SignatureType, key: PublicKey): Uint8Array {
  return concatBytes(Uint8Array.of(signatureTypes[type]), key.bytes);
}

function keyId(suite: Suite, name: string, encoded: Uint8Array): Uint8Array {
  return suite.sha256(concatBytes(encodeUtf8(`${name}\n`), encoded)).slice(0, 4);
}
