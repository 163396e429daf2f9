/** Witnesses' cosignatures of checkpoints (c2sp.org/tlog-cosignature, cosignature/v1, Ed25519). Portable. */
import { toBase64 } from '../../crypto/base64.ts';
import { concatBytes, encodeUtf8, equalBytes } from '../../crypto/bytes.ts';
import type { Suite } from '../../crypto/suite.ts';
import { cosignedText, noteSigners, parseNote } from '../note.ts';
import type { NoteKey, SignedNote } from '../note.ts';

/** A verified cosignature. */
export interface Cosignature {
  readonly witness: NoteKey;
  /** When the witness saw the checkpoint as its log's newest, by its own clock: Unix time in seconds. */
  readonly time: number;
}

/** What makes a cosignature: a witness's key, whatever holds it. */
export interface Cosigner {
  readonly key: NoteKey;
  readonly sign: (message: Uint8Array) => Uint8Array;
}

const TIME_LENGTH = 8;

/** The signature line of a cosignature over a note's text, with its newline. `time` is Unix time in seconds, > 0. */
export function cosign({ key, sign }: Cosigner, text: string, time: number): string {
  const stamp = new Uint8Array(TIME_LENGTH);
  new DataView(stamp.buffer).setBigUint64(0, BigInt(time));
  const signature = sign(encodeUtf8(cosignedText(text, BigInt(time))));
  return `— ${key.name} ${toBase64(concatBytes(key.id, stamp, signature))}\n`;
}

/**
 * The cosignatures of these witnesses on a note, verified; unknown keys are ignored. Undefined where a known witness's
 * signature is wrong: then the whole note is worthless (c2sp.org/signed-note).
 */
export function cosignatures(
  suite: Suite,
  note: string,
  witnesses: readonly NoteKey[],
): readonly Cosignature[] | undefined {
  const parsed = parseNote(note);
  const known = witnesses.filter(({ type }) => type === 'witness');
  const signers = parsed && noteSigners(suite, parsed, known);
  return parsed && signers?.map((witness) => ({ witness, time: cosignatureTime(parsed, witness) }));
}

/** The time in the cosignature of this witness, who is one of the note's `noteSigners`. */
export function cosignatureTime({ signatures }: SignedNote, witness: NoteKey): number {
  const line = signatures.find(({ name, id }) => name === witness.name && equalBytes(id, witness.id));
  return timeOf(line?.signature ?? new Uint8Array(TIME_LENGTH));
}

/** The lines of `answer` (a witness's reply, attacker-controlled) that are this witness's cosignature of the note: one, or none. */
export function cosignatureIn(
  suite: Suite,
  { note, answer, witness }: { readonly note: string; readonly answer: string; readonly witness: NoteKey },
): string | undefined {
  for (const line of answer.split('\n')) {
    const found = cosignatures(suite, `${note}${line}\n`, [witness]);
    if (found?.length === 1) return `${line}\n`;
  }
  return undefined;
}

function timeOf(signature: Uint8Array): number {
  return Number(new DataView(signature.buffer, signature.byteOffset).getBigUint64(0));
}
