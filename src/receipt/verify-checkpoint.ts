/** Who signed a checkpoint, and whether it continues one that the verifier remembers. Portable. */
import { equalBytes } from '../crypto/bytes.ts';
import type { Suite } from '../crypto/suite.ts';
import { parseHead, verifyCheckpoint as verifyHead } from '../lineage/checkpoint.ts';
import type { TreeHead } from '../lineage/checkpoint.ts';
import { isExtension, parseConsistency } from '../lineage/consistency.ts';
import { cosignatureTime } from '../lineage/witness/cosignature.ts';
import { noteSigners, parseNote } from '../lineage/note.ts';
import type { NoteKey, SignedNote } from '../lineage/note.ts';
import { isQuorum } from '../lineage/witness/tlog-policy.ts';
import type { Trust } from './trust-file.ts';
import { notChecked, proven, unproven } from './verdict.ts';
import type { Answer, FaultCode, Limits, LogVerdict } from './verdict.ts';

/** A checkpoint's parts. Nothing in it is verified. */
export interface UnverifiedCheckpoint {
  /** The signed note, verbatim. */
  readonly text: string;
  readonly note: SignedNote;
  readonly head: TreeHead;
}

/** A head whose log's signature, and every known witness's, is good. */
export interface SignedHead extends TreeHead {
  readonly log: NoteKey;
  readonly checkpoint: string;
  readonly cosigned: Limits['cosigned'];
  /** Whether those are the quorum that the trust file asks for. */
  readonly enough: boolean;
}

/** What a verifier knows of a log from another time, or from somebody else. */
export interface Remembered {
  /** A checkpoint, older or newer. */
  readonly checkpoint: string;
  /** The consistency proof from the older of the two to the newer; not needed where their sizes are the same. */
  readonly consistency?: string | undefined;
}

/** The answer, and the largest size that it is about. */
export interface Continuation {
  readonly answer: Answer;
  readonly newest: number;
}

/** The verdict on a checkpoint (attacker-controlled text). Never throws. */
export function verifyCheckpoint(
  suite: Suite,
  text: string,
  trust: Trust & { readonly remembered?: Remembered | undefined },
): LogVerdict {
  const head = signedHead(suite, text, trust);
  const common = { keysFrom: trust.from, unproven: [] };
  if (typeof head === 'string') {
    const unknown = notChecked('the checkpoint is not authentic');
    return { ...common, authentic: unproven(head), witnessed: unknown, appendOnly: unknown, cosigned: [] };
  }
  const continuation = continuationOf(suite, head, trust.remembered);
  const { origin, size, checkpoint, cosigned } = head;
  return {
    ...common,
    authentic: proven(`${size} entries, signed by the trusted key of ${origin}`),
    witnessed: checkWitnesses(head, trust),
    appendOnly: continuation.answer,
    unproven: limitsOfLog(head, continuation, trust),
    ...{ origin, size, checkpoint, cosigned },
  };
}

/** The checkpoint in this text (attacker-controlled), or undefined. */
export function readCheckpoint(text: string): UnverifiedCheckpoint | undefined {
  const note = parseNote(text);
  const head = note && parseHead(note.text);
  return head && { text, note, head };
}

/** The head, where this log signed it, and who cosigned it. A bad signature of a known witness spoils it, too. */
export function checkSigners(
  suite: Suite,
  { text, note, head }: UnverifiedCheckpoint,
  { log, trust }: { readonly log: NoteKey; readonly trust: Trust },
): SignedHead | 'checkpoint_bad_signature' {
  const signers = noteSigners(suite, note, [log, ...trust.witnesses]);
  if (!signers?.includes(log)) return 'checkpoint_bad_signature';
  const cosigned = signers
    .filter(({ type }) => type === 'witness')
    .map((witness) => ({ name: witness.name, time: cosignatureTime(note, witness) }));
  return { ...head, log, checkpoint: text, cosigned, enough: isQuorum(trust.quorum, signers) };
}

/** Whether a head and what is remembered (attacker-controlled, both) are of one history. */
export function continuationOf(
  suite: Suite,
  head: SignedHead | undefined,
  remembered: Remembered | undefined,
): Continuation {
  if (!head) return { answer: notChecked('there is no good checkpoint'), newest: 0 };
  const { size } = head;
  if (!remembered) return { answer: notChecked('no other checkpoint of this log was given'), newest: size };
  const known = verifyHead(suite, remembered.checkpoint, [head.log]);
  if (!known) return { answer: unproven('remembered_untrusted'), newest: size };
  const [older, newer] = known.size <= size ? [known, head] : [head, known];
  const fault = faultBetween(suite, { older, newer, text: remembered.consistency });
  if (fault !== undefined) return { answer: unproven(fault), newest: size };
  return {
    answer: proven(`append-only from ${older.size} to ${newer.size} entries`),
    newest: newer.size,
  };
}

/** What a checkpoint, however good it is, leaves open about its log. */
export function limitsOfLog(
  head: SignedHead | undefined,
  { newest }: Continuation,
  { quorum }: Trust,
): readonly string[] {
  if (!head) return [];
  const end = `the end: nothing shows what the log holds after ${newest} entries`;
  return quorum.kind === 'none'
    ? ['that everyone is shown the same log: no witness was asked for', end]
    : [end];
}

function signedHead(suite: Suite, text: string, trust: Trust): SignedHead | FaultCode {
  const checkpoint = readCheckpoint(text);
  if (!checkpoint) return 'checkpoint_malformed';
  const log = trust.logs.find(({ name }) => name === checkpoint.head.origin);
  return log ? checkSigners(suite, checkpoint, { log, trust }) : 'checkpoint_wrong_log';
}

function checkWitnesses({ enough, cosigned }: SignedHead, { quorum, witnesses }: Trust): Answer {
  if (quorum.kind === 'none') return notChecked('the trust file asks for no witness');
  if (!enough) return unproven('witnesses_missing');
  return proven(`cosigned by ${cosigned.length} of ${witnesses.length} witnesses, as many as are asked for`);
}

interface Step {
  readonly older: TreeHead;
  readonly newer: TreeHead;
  readonly text: string | undefined;
}

function faultBetween(suite: Suite, { older, newer, text }: Step): FaultCode | undefined {
  if (older.size === newer.size) return equalBytes(older.root, newer.root) ? undefined : 'log_forked';
  if (text === undefined) return 'consistency_missing';
  const proof = parseConsistency(text);
  if (!proof) return 'consistency_malformed';
  // Whatever checkpoint the proof carries: both heads are signed, and the hashes are held against them alone.
  const { oldSize, hashes } = proof;
  return oldSize === older.size && isExtension(suite, { old: older, head: newer, hashes })
    ? undefined
    : 'consistency_wrong';
}
