/** A body that its grant binds (`content_sha256`) is read and compared before its first byte leaves. */
import type { Call } from '../call/call.ts';
import { sha256Hex, sha3Hex } from '../crypto/node.ts';
import { deny, pass } from '../denial/outcome.ts';
import type { Outcome, Refusal } from '../denial/outcome.ts';
import type { Coverage } from '../grant/grant.ts';
import { coverContent } from '../grant/scope.ts';
import type { Findings } from './findings.ts';
import type { Lease } from './lease.ts';
import type { Exchange } from './outside.ts';

/** What covers the call, and the body where it had to be read to know. */
export interface BoundBody {
  readonly coverage: Coverage;
  readonly body?: Uint8Array;
}

/** Whose body is read, and for how long at most. */
export interface Reading {
  readonly call: Call;
  readonly coverage: Coverage;
  readonly exchange: Exchange;
  readonly lease: Lease;
}

/**
 * Reads the body where the covering entry binds one; its digests go into `found`, for the record. An agent that does
 * not come to its end holds the call no longer than its lease.
 */
export async function readBoundBody(
  found: Findings,
  { call, coverage, exchange, lease }: Reading,
): Promise<Outcome<BoundBody>> {
  if (!coverage.needsBody) return pass({ coverage });
  const body = await Promise.race([exchange.readBody(found.rules.boundBytes), endOf(lease)]);
  if (!body.ok) return body;
  const { length } = body.value;
  found.content = { length, sha256: sha256Hex(body.value), sha3_512: sha3Hex(body.value) };
  const covered = coverContent(coverage.grant, call, found.content);
  return covered.ok ? pass({ coverage: covered.value, body: body.value }) : covered;
}

function endOf(lease: Lease): Promise<Refusal> {
  return new Promise((resolve) => {
    lease.onEnd((code) => resolve(deny(code, 'ended while the body was read')));
  });
}
