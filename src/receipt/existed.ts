/**
 * Whether an entry existed before the time of a timestamp (RFC 3161). Beside the portable verdict and not part of it: X.509
 * and CMS need Node.
 */
import type { X509Certificate } from 'node:crypto';
import { isJsonObject } from '../crypto/json.ts';
import type { Json } from '../crypto/json.ts';
import { parseHead } from '../lineage/checkpoint.ts';
import { parseNote } from '../lineage/note.ts';
import { noTimestamp, sayTimestamp, timestampedBytes, verifyTimestamp } from '../lineage/timestamp.ts';
import type { Timestamp, TimestampFault, TimestampOutcome } from '../lineage/timestamp.ts';
import { TIME_UNPROVEN } from './verdict.ts';
import type { Verdict } from './verdict.ts';

/** What was given beside the verdict. */
export interface TimestampEvidence {
  /** An authority's response, DER (attacker-controlled). */
  readonly response: Uint8Array;
  readonly roots: readonly X509Certificate[];
  /** The other checkpoint that the verdict's `appendOnly` is about, where one was given. */
  readonly remembered: string | undefined;
}

/** The answer to a fifth question. */
export type Existed =
  | (Timestamp & { readonly proven: true; readonly detail: string })
  | { readonly proven: false; readonly code: TimestampFault | 'not_checked'; readonly detail: string };

/**
 * The timestamp is over the checkpoint that anchors the entry, or over the remembered one; then the entry is in that tree
 * only where the two are of one history and it is not younger.
 */
export function existedBefore(
  { appendOnly, checkpoint, statement }: Verdict,
  { response, roots, remembered }: TimestampEvidence,
): Existed {
  if (checkpoint === undefined) return notChecked('the entry is in no log that is known'); // there only where anchored
  const own = stampOf(checkpoint, response, roots);
  if (own.ok) return proven(own.value);
  if (own.code !== 'timestamp_wrong_imprint' || remembered === undefined) return unproven(own);
  const other = stampOf(remembered, response, roots);
  if (!other.ok) return unproven(other);
  if (!appendOnly.proven)
    return notChecked('the timestamped checkpoint is not shown to be of the same history');
  return isCovered(statement, remembered)
    ? proven(other.value)
    : unproven(noTimestamp('timestamp_too_early'));
}

/** What stays open beside that answer. */
export function limitsWith({ unproven: limits }: Verdict, existed: Existed): readonly string[] {
  if (!existed.proven) return limits;
  return [
    ...limits.map((limit) =>
      limit === TIME_UNPROVEN
        ? 'when it happened, but that it was before: `at` is the sidecar’s own clock'
        : limit,
    ),
    'that the authority’s certificate was not revoked: nobody was asked',
  ];
}

function stampOf(
  checkpoint: string,
  response: Uint8Array,
  roots: readonly X509Certificate[],
): TimestampOutcome {
  const data = timestampedBytes(checkpoint);
  return data ? verifyTimestamp(response, { data, roots }) : noTimestamp('timestamp_wrong_imprint');
}

function isCovered(statement: Json | undefined, checkpoint: string): boolean {
  const predicate = isJsonObject(statement) ? statement['predicate'] : undefined;
  const entry = isJsonObject(predicate) ? predicate['entry'] : undefined;
  const seq = isJsonObject(entry) ? entry['seq'] : undefined;
  const size = parseHead(parseNote(checkpoint)?.text ?? '')?.size ?? 0;
  return typeof seq === 'number' && seq < size;
}

function proven(stamp: Timestamp): Existed {
  return { ...stamp, proven: true, detail: sayTimestamp(stamp) };
}

function unproven({ code, detail }: { readonly code: TimestampFault; readonly detail: string }): Existed {
  return { proven: false, code, detail };
}

function notChecked(because: string): Existed {
  return { proven: false, code: 'not_checked', detail: `not checked: ${because}` };
}
