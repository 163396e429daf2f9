/**
 * Portable proofs that a log's key signed two histories (formats.md §5): one size with two roots; or checkpoints (m, r) and
 * (n, s) with a valid consistency proof to (n, s) from (m, r′ ≠ r). Anyone who has the log's public key can check one.
 * Portable in the other sense too: imports nothing of Node.
 */
import { fromBase64, toBase64 } from '../../crypto/base64.ts';
import { equalBytes } from '../../crypto/bytes.ts';
import { isJsonObject, parseStrictJson } from '../../crypto/json.ts';
import type { Json } from '../../crypto/json.ts';
import type { Suite } from '../../crypto/suite.ts';
import { verifyCheckpoint } from '../checkpoint.ts';
import type { VerifiedHead } from '../checkpoint.ts';
import { HASH_LENGTH } from '../merkle.ts';
import type { NoteKey } from '../note.ts';
import { verifyConsistency } from '../proof.ts';

/** What a proof of forking is made of. */
export interface ForkEvidence {
  /** Two signed checkpoints of one log, verbatim; the first is not the larger. */
  readonly first: string;
  readonly second: string;
  /** Where the sizes differ: the root that the second tree has at the first one's size, and the proof of that. */
  readonly bridge?: { readonly root: Uint8Array; readonly hashes: readonly Uint8Array[] };
}

/** A fork that was proven: both heads bear the signature of the same key. */
export interface Fork {
  readonly first: VerifiedHead;
  readonly second: VerifiedHead;
}

const TYPE = 'urn:writ:fork:v1';
const MAX_HASHES = 63;

/** The evidence as a file: `{"type","first","second"[,"root","consistency"]}`, with a final newline. */
export function formatFork({ first, second, bridge }: ForkEvidence): string {
  const bridged = bridge && { root: toBase64(bridge.root), consistency: bridge.hashes.map(toBase64) };
  return `${JSON.stringify({ type: TYPE, first, second, ...bridged }, null, 2)}\n`;
}

/** The fork that this text (attacker-controlled) proves of a log of `keys`, or what is wrong with it. */
export function verifyFork(
  suite: Suite,
  text: string,
  keys: readonly NoteKey[],
): { readonly fork: Fork } | { readonly fault: string } {
  const evidence = parseFork(text);
  if (!evidence) return { fault: `it is not a proof of forking (${TYPE})` };
  const first = verifyCheckpoint(suite, evidence.first, keys);
  const second = verifyCheckpoint(suite, evidence.second, keys);
  if (!first || !second) return { fault: 'a checkpoint in it is not signed by a log key that is trusted' };
  if (!equalBytes(first.log.key.bytes, second.log.key.bytes) || first.origin !== second.origin)
    return { fault: 'its checkpoints are of different logs' };
  const fault = faultOf(suite, { first, second }, evidence.bridge);
  return fault === undefined ? { fork: { first, second } } : { fault };
}

function faultOf(suite: Suite, { first, second }: Fork, bridge: ForkEvidence['bridge']): string | undefined {
  if (first.size > second.size) return 'its first checkpoint is the larger one';
  const same = 'its checkpoints agree: that is no fork';
  if (first.size === second.size) {
    if (bridge) return 'checkpoints of one size need no consistency proof';
    return equalBytes(first.root, second.root) ? same : undefined;
  }
  if (!bridge) return 'the consistency proof is missing';
  if (equalBytes(bridge.root, first.root)) return same;
  const claim = { oldSize: first.size, oldRoot: bridge.root, newSize: second.size, newRoot: second.root };
  if (!verifyConsistency(suite, { ...claim, hashes: bridge.hashes }))
    return 'its consistency proof does not lead to the second checkpoint';
  return undefined;
}

function parseFork(text: string): ForkEvidence | undefined {
  const value = parseStrictJson(text);
  if (!isJsonObject(value)) return undefined;
  const { type, first, second, root, consistency, ...rest } = value;
  if (type !== TYPE || typeof first !== 'string' || typeof second !== 'string') return undefined;
  if (Object.keys(rest).length > 0) return undefined;
  if (root === undefined && consistency === undefined) return { first, second };
  const hashes = parseHashes([root, ...(Array.isArray(consistency) ? consistency : [undefined])]);
  return hashes?.[0] && { first, second, bridge: { root: hashes[0], hashes: hashes.slice(1) } };
}

function parseHashes(values: readonly (Json | undefined)[]): readonly Uint8Array[] | undefined {
  if (values.length > MAX_HASHES + 1) return undefined;
  const hashes = values
    .map((value) => (typeof value === 'string' ? fromBase64(value) : undefined))
    .filter((hash) => hash !== undefined);
  return hashes.length === values.length && hashes.every(({ length }) => length === HASH_LENGTH)
    ? hashes
    : undefined;
}
