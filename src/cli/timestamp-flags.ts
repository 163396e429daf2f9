/** `--timestamp` and `--tsa-roots`: a timestamp is worth as much as the roots that the verifier chose. */
import { certificatesIn } from '../lineage/timestamp-certificate.ts';
import type { Certificate } from '../lineage/timestamp-certificate.ts';
import { unable, usageFailure } from './exit.ts';
import { readBytes } from './result-file.ts';

/** What `--timestamp` is. */
export const TIMESTAMP_FLAG = 'a time-stamp response (RFC 3161, .tsr)';
/** What `--tsa-roots` is. */
export const TSA_ROOTS_FLAG = 'PEM file of the roots that its authority’s certificate must lead to';

/** Both, or neither. */
export interface TimestampFlags {
  readonly timestamp?: string;
  readonly tsaRoots?: string;
}

/** What the two files hold; undefined where neither was given. */
export function readTimestamp({
  timestamp,
  tsaRoots,
}: TimestampFlags): { readonly response: Uint8Array; readonly roots: readonly Certificate[] } | undefined {
  if (timestamp === undefined && tsaRoots === undefined) return undefined;
  if (timestamp === undefined || tsaRoots === undefined)
    throw usageFailure('--timestamp and --tsa-roots go together: whose word is to be believed?');
  const roots = certificatesIn(Buffer.from(readBytes(tsaRoots)).toString('latin1'));
  if (!roots) throw unable(`${tsaRoots} holds no certificate (PEM), or one that cannot be read`);
  return { response: readBytes(timestamp), roots };
}
