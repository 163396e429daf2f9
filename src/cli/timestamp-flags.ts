/** `--timestamp`, `--tsa-roots` and `--tsa-policy`: a timestamp is worth as much as the roots that the verifier chose. */
import { OBJECT_IDENTIFIER } from '../config/values.ts';
import { certificatesIn } from '../lineage/timestamp/certificate.ts';
import type { Certificate } from '../lineage/timestamp/certificate.ts';
import { unable, usageFailure } from './exit.ts';
import { readBytes } from './result-file.ts';

/** What `--timestamp` is. */
export const TIMESTAMP_FLAG = 'a time-stamp response (RFC 3161, .tsr)';
/** What `--tsa-roots` is. */
export const TSA_ROOTS_FLAG = 'PEM file of the roots that its authority’s certificate must lead to';

/** What `--tsa-policy` is. */
export const TSA_POLICY_FLAG = 'object identifier of the policy that it must be given under (default: any)';

/** The first two, or none. */
export interface TimestampFlags {
  readonly timestamp?: string;
  readonly tsaRoots?: string;
  readonly tsaPolicy?: string;
}

/** What was given. */
export interface TimestampGiven {
  readonly response: Uint8Array;
  readonly roots: readonly Certificate[];
  readonly policy: string | undefined;
}

/** What the two files hold; undefined where neither was given. */
export function readTimestamp({
  timestamp,
  tsaRoots,
  tsaPolicy,
}: TimestampFlags): TimestampGiven | undefined {
  if (timestamp === undefined && tsaRoots === undefined && tsaPolicy === undefined) return undefined;
  if (timestamp === undefined || tsaRoots === undefined)
    throw usageFailure('--timestamp and --tsa-roots go together: whose word is to be believed?');
  const policy = tsaPolicy === undefined ? undefined : policyIn(tsaPolicy);
  const roots = certificatesIn(Buffer.from(readBytes(tsaRoots)).toString('latin1'));
  if (!roots) throw unable(`${tsaRoots} holds no certificate (PEM), or one that cannot be read`);
  return { response: readBytes(timestamp), roots, policy };
}

/** The argument of `--tsa-policy`. */
export function policyIn(text: string): string {
  if (OBJECT_IDENTIFIER.test(text)) return text;
  throw usageFailure('--tsa-policy must be an object identifier, such as 1.2.3.4.1');
}
