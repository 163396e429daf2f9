/** What only the holder of the keys can do for a log. */
import { encodeUtf8 } from '../crypto/bytes.ts';
import type { Signer } from '../crypto/node.ts';
import { headText } from './checkpoint.ts';
import type { TreeHead } from './checkpoint.ts';
import { formatNote } from './note.ts';
import type { NoteKey } from './note.ts';

/** Signs for the store, which never sees a key. Nothing signed leaves the writer before the sync that covers it. */
export interface Seal {
  /** The checkpoint (signed note) of a head. */
  head(head: TreeHead): string;
  /** The receipt (DSSE envelope as JSON text) of a statement's bytes. */
  receipt(statement: Uint8Array): string;
}

/** The checkpoint of a head, signed by the log's key. */
export function signHead(signer: Signer, key: NoteKey, head: TreeHead): string {
  const text = headText(head);
  return formatNote(text, { name: key.name, id: key.id, signature: signer.sign(encodeUtf8(text)) });
}
