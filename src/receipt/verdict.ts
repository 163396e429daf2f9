/** What a verifier of denials answers: separate questions, never one green light. Portable. */
import type { JsonObject } from '../crypto/json.ts';
import type { Timestamp, TimestampFault } from '../lineage/timestamp/fault.ts';

/** Everything that can be wrong with a denial, in the order in which it is looked for (formats.md §4). */
export const faults = {
  body_malformed: 'the body is not the JSON text that a sidecar writes (was it reformatted?)',
  receipt_missing: 'the sidecar had no working signer: nothing in this body is signed',
  receipt_malformed: 'the receipt is not a DSSE envelope with one signature',
  receipt_unknown_key: 'the receipt names a key that the trust file does not hold',
  receipt_bad_signature: 'the receipt’s signature is wrong',
  statement_malformed: 'the signed statement is not canonical, or not of our shape',
  statement_not_denial: 'the signed statement does not refuse a call',
  not_recorded: 'the denial was answered without being recorded in the log',
  proof_missing: 'there is no inclusion proof',
  proof_malformed: 'the inclusion proof is not a tlog-proof',
  proof_wrong_index: 'the proof is for another entry',
  proof_wrong_log:
    'the proof is of another log than the statement’s, or of one that the trust file does not know',
  proof_wrong_root: 'the proof does not lead from this statement to the checkpoint',
  checkpoint_bad_signature: 'the checkpoint is not signed by the log’s key',
  witnesses_missing: 'too few of the trust file’s witnesses have cosigned the checkpoint',
  checkpoint_malformed: 'it is not a checkpoint',
  checkpoint_wrong_log: 'the checkpoint is of a log that the trust file does not know',
  remembered_untrusted: 'the checkpoint to compare with is not signed by the key of this log',
  consistency_missing:
    'the two checkpoints are of different sizes: a consistency proof between them is needed',
  consistency_malformed: 'the consistency proof is not one',
  consistency_wrong: 'the consistency proof does not lead from the older checkpoint to the newer one',
  log_forked: 'the log’s key signed two trees of one size',
  shown_changed: 'what the body shows is not what was signed',
} as const;

/** A code of the table. */
export type FaultCode = keyof typeof faults;

/** What no verdict proves by itself. */
export const TIME_UNPROVEN = 'when it happened: `at` is the sidecar’s own clock';

/** The answer to one question. */
export type Answer =
  | { readonly proven: true; readonly detail: string }
  | { readonly proven: false; readonly code: FaultCode; readonly detail: string }
  /** An earlier question was answered with no, so there was nothing to ask this of. */
  | { readonly proven: false; readonly code: 'not_checked'; readonly detail: string };

/** The answer of a time-stamping authority, beside the others: whether what a verdict is about existed before a time. */
export type Existed =
  | (Timestamp & { readonly proven: true; readonly detail: string; readonly unproven: readonly string[] })
  | { readonly proven: false; readonly code: TimestampFault | 'not_checked'; readonly detail: string };

/** The answers about one entry, and what they rest on. */
export interface Verdict extends Limits {
  /** A trusted receipt key signed a statement that refuses a call. */
  readonly authentic: Answer;
  /** All that the body shows beside the receipt is what was signed. */
  readonly untampered: Answer;
  /** The statement is an entry of the log under a checkpoint that a trusted log key signed. */
  readonly anchored: Answer;
  /** Between that checkpoint and one that the verifier remembers, nothing was removed or changed. */
  readonly appendOnly: Answer;
  /** The signed statement, only where authentic: nothing else may be shown as fact. */
  readonly statement?: JsonObject;
}

/** The answers about a log's checkpoint. */
export interface LogVerdict extends Limits {
  /** A trusted log key signed it. */
  readonly authentic: Answer;
  /** As many of the trust file's witnesses cosigned it as that asks for. */
  readonly witnessed: Answer;
  readonly appendOnly: Answer;
  /** Only where authentic. */
  readonly origin?: string;
  readonly size?: number;
}

/** What every verdict says of itself. */
export interface Limits {
  /** What is not proven, in sentences. */
  readonly unproven: readonly string[];
  /** Where the keys came from, in the words of whoever read the trust file: no verdict is worth more. */
  readonly keysFrom: string;
  /** The signed checkpoint, once its signatures verified: what to remember for the next time. */
  readonly checkpoint?: string;
  /** Who cosigned that checkpoint, and when: Unix time in seconds, by the witness's own clock. */
  readonly cosigned: readonly { readonly name: string; readonly time: number }[];
}

/** A question answered with yes. */
export function proven(detail: string): Answer {
  return { proven: true, detail };
}

/** A question answered with no. */
export function unproven(code: FaultCode): Answer & { readonly proven: false } {
  return { proven: false, code, detail: faults[code] };
}

/** A question that was not asked. */
export function notChecked(because: string): Answer {
  return { proven: false, code: 'not_checked', detail: `not checked: ${because}` };
}
