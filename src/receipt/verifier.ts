/**
 * The package's export `writ/verify`: everything that somebody who runs no sidecar needs to check what one says. No Node
 * import anywhere below it, so that browsers run it. Every text is attacker-controlled but the trust file, and the roots of
 * time-stamping authorities; nothing throws.
 */
import { noble } from '../crypto/noble.ts';
import { parseConsistency } from '../lineage/consistency.ts';
import { verifyFork as findFork } from '../lineage/witness/fork.ts';
import { parseTrust } from './trust-file.ts';
import type { Trust } from './trust-file.ts';
import type { Existed, LogVerdict, Verdict } from './verdict.ts';
import { verifyCheckpoint as checkCheckpoint } from './verify-checkpoint.ts';
import type { Remembered } from './verify-checkpoint.ts';
import { verifyDenial as checkDenial, verifyInclusion as checkInclusion, verifyReceipt as checkReceipt } from './verify.ts'; // prettier-ignore
import type { ProvenEntry, Receipt } from './verify.ts';

/** Whose keys to believe. */
export type TrustedKeys = Trust;
/** What is known of a log from another time or from somebody else: a checkpoint, and the consistency proof between. */
export type RememberedLog = Remembered;
/** Four separate answers about one entry, and what they leave open. */
export type EntryVerdict = Verdict;
/** The answers about a checkpoint, and what they leave open. */
export type CheckpointVerdict = LogVerdict;

/** Before when something existed, and on whose word; or why that is not proven. */
export type ExistedBefore = Existed;

/** A timestamp (RFC 3161), and whom to believe about times. */
export interface GivenTimestamp {
  /** The authority's response, DER (`.tsr`). */
  readonly response: Uint8Array;
  /** Certificates of the roots that its own must lead to, PEM. No timestamp is worth more than the choice of them. */
  readonly roots: string;
  /** Object identifier of the policy that it must be given under, where not any will do. */
  readonly policy?: string;
}

/** The keys in a trust file, or what is wrong with it. `from` says how the file came to you; each verdict repeats it. */
export function readTrust(text: string, from: string): TrustedKeys | { readonly fault: string } {
  return parseTrust(noble, text, from);
}

/** The verdict on the body of a 403, byte for byte as it came. */
export function verifyDenial(body: string, trust: TrustedKeys, remembered?: RememberedLog): EntryVerdict {
  return checkDenial(noble, body, { ...trust, remembered });
}

/** The verdict on an entry's receipt (a DSSE envelope as JSON text) and its tlog-proof. */
export function verifyReceipt(given: Receipt, trust: TrustedKeys, remembered?: RememberedLog): EntryVerdict {
  return checkReceipt(noble, given, { ...trust, remembered });
}

/** The verdict on an entry's own bytes and its tlog-proof, where there is no receipt. */
export function verifyInclusion(
  given: ProvenEntry,
  trust: TrustedKeys,
  remembered?: RememberedLog,
): EntryVerdict {
  return checkInclusion(noble, given, { ...trust, remembered });
}

/** The verdict on a checkpoint: the log's signature, the witnesses', and whether it continues what is remembered. */
export function verifyCheckpoint(
  checkpoint: string,
  trust: TrustedKeys,
  remembered?: RememberedLog,
): CheckpointVerdict {
  return checkCheckpoint(noble, checkpoint, { ...trust, remembered });
}

/** The verdict on the checkpoint in a consistency proof, held against the older one that you have. */
export function verifyConsistency(
  { old, proof }: { readonly old: string; readonly proof: string },
  trust: TrustedKeys,
): CheckpointVerdict {
  const newer = parseConsistency(proof)?.checkpoint ?? '';
  return verifyCheckpoint(newer, trust, { checkpoint: old, consistency: proof });
}

/** The two sizes at which a log's key signed two histories, where this text proves it (`writ lineage compare -o`). */
export function verifyFork(
  text: string,
  trust: TrustedKeys,
): { readonly origin: string; readonly sizes: readonly [number, number] } | { readonly fault: string } {
  const found = findFork(noble, text, trust.logs);
  if ('fault' in found) return found;
  const { first, second } = found.fork;
  return { origin: first.origin, sizes: [first.size, second.size] };
}

/**
 * Whether what a verdict is about existed before the time of a timestamp, which is over the verdict's own checkpoint or the
 * remembered one that the verdict was given. Loads the packages that read X.509 only when asked; a page needs HTTPS.
 */
export async function existedBefore(
  verdict: EntryVerdict | CheckpointVerdict,
  given: GivenTimestamp,
  remembered?: RememberedLog,
): Promise<ExistedBefore> {
  const { response, roots, policy } = given;
  const { existedBefore: check } = await import('./existed.ts');
  const { certificatesIn } = await import('../lineage/timestamp/certificate.ts');
  return check(verdict, {
    ...{ response, policy, roots: certificatesIn(roots) },
    remembered: remembered?.checkpoint,
  });
}
