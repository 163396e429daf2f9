/** What can be said of a timestamp (RFC 3161), good or not. Portable. */

/** Everything that can be wrong with an authority's answer. */
export const timestampFaults = {
  timestamp_unreachable: 'the authority does not answer in time, or with more than a timestamp',
  timestamp_no_roots: 'the file of trusted roots cannot be read, or holds no certificate (PEM)',
  timestamp_http_error: 'the authority answers with an error of HTTP',
  timestamp_unsupported: 'nothing here can verify it: a page has WebCrypto only where it came by HTTPS',
  timestamp_malformed: 'it is not a time-stamp response (RFC 3161), whole and alone',
  timestamp_refused: 'the authority did not grant a timestamp',
  timestamp_wrong_signer: 'it does not say which one of its certificates signed it',
  timestamp_bad_signature: 'its signature is wrong',
  timestamp_weak: 'it is signed with an algorithm or key that is not accepted',
  timestamp_wrong_imprint: 'it is over other bytes, or by another hash than SHA-512',
  timestamp_too_early: 'it is over a checkpoint from before this entry',
  timestamp_wrong_nonce: 'it is not the answer to what was asked',
  timestamp_wrong_purpose: 'its signer’s certificate is not one for timestamps, and for nothing else',
  timestamp_expired: 'its signer’s certificate did not hold at that time',
  timestamp_untrusted: 'its signer’s certificate does not lead to a trusted root',
  timestamp_wrong_policy: 'it was given under another policy than is asked for',
  timestamp_wrong_time: 'its time is not that of this machine’s clock: one of the two is wrong',
} as const;

/** A code of the table. */
export type TimestampFault = keyof typeof timestampFaults;

/** Why there is no timestamp. */
export interface NoTimestamp {
  readonly ok: false;
  readonly code: TimestampFault;
  /** The table's sentence, and what the authority said (attacker-controlled). */
  readonly detail: string;
}

/** A verified timestamp. */
export interface Timestamp {
  /** The bytes existed before: Unix time in milliseconds, the authority's own accuracy added. */
  readonly before: number;
  /** The subject of its certificate. */
  readonly by: string;
  /** Object identifier of the policy under which it was given. */
  readonly policy: string;
}

/** A verified timestamp, or why there is none. */
export type TimestampOutcome = { readonly ok: true; readonly value: Timestamp } | NoTimestamp;

/** A refusal by the table. `said`: the authority's own words. */
export function noTimestamp(code: TimestampFault, said = ''): NoTimestamp {
  return {
    ok: false,
    code,
    detail: said === '' ? timestampFaults[code] : `${timestampFaults[code]}: ${said}`,
  };
}

/** What a timestamp proves, in words (attacker-controlled: the name). */
export function sayTimestamp({ before, by }: Timestamp): string {
  return `before ${new Date(before).toISOString()} according to ${by}`;
}
