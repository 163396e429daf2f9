/** A body that its grant binds (`content_sha256`) is read and compared before its first byte leaves. */
import type { Call } from '../call/call.ts';
import { sha256Hex, sha3Hex } from '../crypto/node.ts';
import { pass } from '../denial/outcome.ts';
import type { Outcome } from '../denial/outcome.ts';
import type { Coverage } from '../grant/grant.ts';
import { coverContent } from '../grant/scope.ts';
import type { Findings } from './findings.ts';
import type { Exchange } from './outside.ts';

/** What covers the call, and the body where it had to be read to know. */
export interface BoundBody {
  readonly coverage: Coverage;
  readonly body?: Uint8Array;
}

/** Reads the body where the covering entry binds one; its digests go into `found`, for the record. */
export async function readBoundBody(
  found: Findings,
  { call, coverage, exchange }: { call: Call; coverage: Coverage; exchange: Exchange },
): Promise<Outcome<BoundBody>> {
  if (!coverage.needsBody) return pass({ coverage });
  const body = await exchange.readBody(found.rules.boundBytes);
  if (!body.ok) return body;
  const { length } = body.value;
  found.content = { length, sha256: sha256Hex(body.value), sha3_512: sha3Hex(body.value) };
  const covered = coverContent(coverage.grant, call, found.content);
  return covered.ok ? pass({ coverage: covered.value, body: body.value }) : covered;
}
