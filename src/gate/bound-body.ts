/** A body that its grant binds (`content_sha256`) is read and compared before its first byte leaves. */
import { sha256Hex, sha3Hex } from '../crypto/node.ts';
import { deny, pass } from '../denial/outcome.ts';
import type { Outcome } from '../denial/outcome.ts';
import type { ScopeEntry } from '../grant/grant.ts';
import { contentMatches } from '../grant/scope.ts';
import type { Findings } from './findings.ts';
import type { Exchange } from './outside.ts';

/** The body that was read; absent where the grant binds none. */
export interface BoundBody {
  readonly body?: Uint8Array;
}

/** Reads the body where the covering entry binds it. Its digests go into `found`, for the record. */
export async function readBoundBody(
  found: Findings,
  { entry, exchange }: { entry: ScopeEntry; exchange: Exchange },
): Promise<Outcome<BoundBody>> {
  if (entry.content_sha256 === undefined) return pass({});
  const body = await exchange.readBody(found.rules.boundBytes);
  if (!body.ok) return body;
  const sha256 = sha256Hex(body.value);
  found.content = { length: body.value.length, sha256, sha3_512: sha3Hex(body.value) };
  if (!contentMatches(entry, sha256))
    return deny('scope_content', 'the body is not the one that the grant binds');
  return pass({ body: body.value });
}
