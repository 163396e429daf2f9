/**
 * Consistency proofs as text: from an older size of a log to a signed checkpoint of it. The text is the body of
 * tlog-witness's `add-checkpoint`, so that a proof can be handed to a witness as it is. Portable.
 */
import { fromBase64, toBase64 } from '../crypto/base64.ts';
import type { Suite } from '../crypto/suite.ts';
import { verifyCheckpoint } from './checkpoint.ts';
import type { TreeHead, VerifiedHead } from './checkpoint.ts';
import { HASH_LENGTH } from './merkle.ts';
import type { NoteKey } from './note.ts';
import { verifyConsistency } from './proof.ts';

/** A parsed consistency proof. Nothing in it is verified. */
export interface ConsistencyProof {
  readonly oldSize: number;
  readonly hashes: readonly Uint8Array[];
  /** The signed note of the newer head, verbatim. */
  readonly checkpoint: string;
}

const MAX_HASHES = 63;

/** `old <size>`, a hash a line, an empty line, the checkpoint (c2sp.org/tlog-witness). */
export function formatConsistency({ oldSize, hashes, checkpoint }: ConsistencyProof): string {
  return [`old ${oldSize}`, ...hashes.map(toBase64), '', checkpoint].join('\n');
}

/** The proof in this text (attacker-controlled), or undefined. Every proof has one spelling. */
export function parseConsistency(text: string): ConsistencyProof | undefined {
  const border = text.indexOf('\n\n');
  if (border < 0) return undefined;
  const [first, ...lines] = text.slice(0, border).split('\n');
  const digits = /^old (0|[1-9][0-9]{0,15})$/.exec(first ?? '')?.[1];
  const oldSize = Number(digits);
  if (digits === undefined || !Number.isSafeInteger(oldSize) || lines.length > MAX_HASHES) return undefined;
  const hashes = lines.map(fromBase64).filter((hash) => hash?.length === HASH_LENGTH);
  if (hashes.length !== lines.length) return undefined;
  return {
    oldSize,
    hashes: hashes.filter((hash) => hash !== undefined),
    checkpoint: text.slice(border + 2),
  };
}

/**
 * The newer head, where the proof (attacker-controlled text) shows that a log of `keys` extended `old` to it; undefined
 * otherwise. `old` is what the verifier knows: a head that it verified before.
 */
export function verifyConsistencyProof(
  suite: Suite,
  { old, text, keys }: { readonly old: TreeHead; readonly text: string; readonly keys: readonly NoteKey[] },
): VerifiedHead | undefined {
  const proof = parseConsistency(text);
  const head = proof && verifyCheckpoint(suite, proof.checkpoint, keys);
  if (!head || head.origin !== old.origin || proof.oldSize !== old.size) return undefined;
  return isExtension(suite, { old, head, hashes: proof.hashes }) ? head : undefined;
}

/** Whether these hashes show that `head` extends `old`. Anything extends the empty tree, by no hashes. */
export function isExtension(
  suite: Suite,
  {
    old,
    head,
    hashes,
  }: {
    readonly old: Omit<TreeHead, 'origin'>;
    readonly head: Omit<TreeHead, 'origin'>;
    readonly hashes: readonly Uint8Array[];
  },
): boolean {
  if (old.size === 0) return hashes.length === 0;
  return verifyConsistency(suite, {
    oldSize: old.size,
    oldRoot: old.root,
    newSize: head.size,
    newRoot: head.root,
    hashes,
  });
}
