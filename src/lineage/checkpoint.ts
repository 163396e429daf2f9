/** Checkpoints (c2sp.org/tlog-checkpoint): the signed heads of a log's tree, and the log's identity. Portable. */
import { fromBase64, toBase64 } from '../crypto/base64.ts';
import { toHex } from '../crypto/bytes.ts';
import type { PublicKey, Suite } from '../crypto/suite.ts';
import { HASH_LENGTH } from './merkle.ts';
import { noteSigners, parseNote } from './note.ts';
import type { NoteKey } from './note.ts';

/** A tree's head. */
export interface TreeHead {
  readonly origin: string;
  /** Number of entries. */
  readonly size: number;
  readonly root: Uint8Array;
}

/** `<name>/<first 16 hex of SHA-256(log key)>`: no two logs share it, because no two logs share a key. */
export function originOf(suite: Suite, name: string, logKey: PublicKey): string {
  return `${name}/${toHex(suite.sha256(logKey.bytes).subarray(0, 8))}`;
}

/** Whether this key may have this origin. */
export function isOriginOf(suite: Suite, origin: string, logKey: PublicKey): boolean {
  return origin === originOf(suite, origin.slice(0, Math.max(0, origin.lastIndexOf('/'))), logKey);
}

/** The text that a log signs. */
export function headText({ origin, size, root }: TreeHead): string {
  return `${origin}\n${size}\n${toBase64(root)}\n`;
}

/** The head in this note text, or undefined. Extension lines are refused: our logs write none. */
export function parseHead(text: string): TreeHead | undefined {
  const [, origin, digits, encoded] = /^([^\n]+)\n(0|[1-9][0-9]{0,15})\n([^\n]+)\n$/u.exec(text) ?? [];
  const root = fromBase64(encoded ?? '');
  const size = Number(digits);
  if (!origin || root?.length !== HASH_LENGTH || !Number.isSafeInteger(size)) return undefined;
  return { origin, size, root };
}

/** A head that a known log signed, and who else of `keys` signed it. */
export interface VerifiedHead extends TreeHead {
  readonly log: NoteKey;
  readonly witnesses: readonly NoteKey[];
}

/** The head of a checkpoint (attacker-controlled) whose origin's own key is among `keys` and signed it, or undefined. */
export function verifyCheckpoint(
  suite: Suite,
  checkpoint: string,
  keys: readonly NoteKey[],
): VerifiedHead | undefined {
  const note = parseNote(checkpoint);
  const head = note && parseHead(note.text);
  const signers = note && noteSigners(suite, note, keys);
  const log = signers?.find(({ type, name }) => type === 'log' && name === head?.origin);
  if (!head || !log) return undefined;
  return { ...head, log, witnesses: signers?.filter(({ type }) => type === 'witness') ?? [] };
}
