/** How a time-stamping authority is reached (RFC 3161 §3.4). */
import { randomFillSync } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { systemClock } from '../config/system.ts';
import { askTimestamp } from '../lineage/timestamp/client.ts';
import type { FreshTimestamp } from '../lineage/timestamp/client.ts';
import { certificatesIn } from '../lineage/timestamp/certificate.ts';
import { noTimestamp } from '../lineage/timestamp/fault.ts';
import type { NoTimestamp } from '../lineage/timestamp/fault.ts';
import { postOutside } from './outside-post.ts';

/** Who is asked, and by which roots the answer is judged. */
export interface TimestampAuthority {
  readonly url: string;
  /** Path of a PEM file. */
  readonly roots: string;
  /** Object identifier of the policy to ask for; null: any. */
  readonly policy?: string | null;
  readonly timeoutMs: number;
  readonly until?: AbortSignal;
}

const TYPE = 'application/timestamp-query';
const NONCE_BYTES = 8;
/** A token with a few certificates. */
const MAX_ANSWER = 16_384;

/** A timestamp over exactly these bytes, verified; or why there is none. Never rejects. */
export async function fetchTimestamp(
  data: Uint8Array,
  { url, roots: file, policy = null, timeoutMs, until }: TimestampAuthority,
): Promise<FreshTimestamp | NoTimestamp> {
  const pem = await readFile(file, 'latin1').catch(() => '');
  const roots = certificatesIn(pem);
  if (!roots) return noTimestamp('timestamp_no_roots');
  const common = { url, type: TYPE, patienceMs: timeoutMs, maxBytes: MAX_ANSWER, ...(until && { until }) };
  return askTimestamp(data, {
    roots,
    policy,
    clock: systemClock.wall,
    random: () => randomFillSync(new Uint8Array(NONCE_BYTES)),
    post: (body) => postOutside({ ...common, body }),
  });
}
