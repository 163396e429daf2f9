/**
 * Whether an entry, or a checkpoint, existed before the time of a timestamp (RFC 3161). A question of its own beside those
 * of a verdict: another authority answers it. Portable.
 */
import { isJsonObject } from '../crypto/json.ts';
import { parseHead } from '../lineage/checkpoint.ts';
import { parseNote } from '../lineage/note.ts';
import type { Certificate } from '../lineage/timestamp/certificate.ts';
import { noTimestamp, sayTimestamp } from '../lineage/timestamp/fault.ts';
import type { Timestamp, TimestampFault, TimestampOutcome } from '../lineage/timestamp/fault.ts';
import { timestampedBytes, verifyTimestamp } from '../lineage/timestamp/timestamp.ts';
import type { TimestampClaim } from '../lineage/timestamp/timestamp.ts';
import { TIME_UNPROVEN } from './verdict.ts';
import type { Existed, LogVerdict, Verdict } from './verdict.ts';

/** What was given beside the verdict. */
export interface TimestampEvidence {
  /** An authority's response, DER (attacker-controlled). */
  readonly response: Uint8Array;
  /** Undefined where what was named holds none. */
  readonly roots: readonly Certificate[] | undefined;
  /** Object identifier of the policy that it must be given under, where not any will do. */
  readonly policy?: string | undefined;
  /** The other checkpoint that the verdict's `appendOnly` is about, where one was given. */
  readonly remembered: string | undefined;
}

const NOT_REVOKED = 'that the authority’s certificate was not revoked: nobody was asked';

/**
 * The timestamp is over the checkpoint that the verdict rests on, or over the remembered one; then what the verdict is about
 * is in that tree only where the two are of one history and it is not younger.
 */
export async function existedBefore(
  verdict: Verdict | LogVerdict,
  { response, roots, policy, remembered }: TimestampEvidence,
): Promise<Existed> {
  const { appendOnly, checkpoint } = verdict;
  if (checkpoint === undefined) return notChecked('the entry is in no log that is known'); // there only where anchored
  if (!roots) return unproven(noTimestamp('timestamp_no_roots'));
  const own = await stampOf(checkpoint, response, { roots, policy });
  if (own.ok) return proven(own.value);
  if (own.code !== 'timestamp_wrong_imprint' || remembered === undefined) return unproven(own);
  const other = await stampOf(remembered, response, { roots, policy });
  if (!other.ok) return unproven(other);
  if (!appendOnly.proven)
    return notChecked('the timestamped checkpoint is not shown to be of the same history');
  const size = parseHead(parseNote(remembered)?.text ?? '')?.size ?? 0;
  return sizeOf(verdict) <= size ? proven(other.value) : unproven(noTimestamp('timestamp_too_early'));
}

/** What stays open beside that answer. */
export function limitsWith({ unproven: limits }: Verdict, existed: Existed): readonly string[] {
  if (!existed.proven) return limits;
  const exact = 'when it happened, but that it was before: `at` is the sidecar’s own clock';
  return [...limits.map((limit) => (limit === TIME_UNPROVEN ? exact : limit)), ...existed.unproven];
}

async function stampOf(
  checkpoint: string,
  response: Uint8Array,
  believed: Pick<TimestampClaim, 'roots' | 'policy'>,
): Promise<TimestampOutcome> {
  const data = timestampedBytes(checkpoint);
  return data ? verifyTimestamp(response, { data, ...believed }) : noTimestamp('timestamp_wrong_imprint');
}

/** How many entries a tree must have to have all that a verdict is about. */
function sizeOf(verdict: Verdict | LogVerdict): number {
  if ('witnessed' in verdict) return verdict.size ?? Number.POSITIVE_INFINITY;
  const predicate = isJsonObject(verdict.statement) ? verdict.statement['predicate'] : undefined;
  const entry = isJsonObject(predicate) ? predicate['entry'] : undefined;
  const seq = isJsonObject(entry) ? entry['seq'] : undefined;
  return typeof seq === 'number' ? seq + 1 : Number.POSITIVE_INFINITY;
}

function proven(stamp: Timestamp): Existed {
  return { ...stamp, proven: true, detail: sayTimestamp(stamp), unproven: [NOT_REVOKED] };
}

function unproven({ code, detail }: { readonly code: TimestampFault; readonly detail: string }): Existed {
  return { proven: false, code, detail };
}

function notChecked(because: string): Existed {
  return { proven: false, code: 'not_checked', detail: `not checked: ${because}` };
}
