/** Inclusion and consistency proofs: their checks (RFC 9162 §2.1) and their text (c2sp.org/tlog-proof). Portable. */
import { fromBase64, toBase64 } from '../crypto/base64.ts';
import { equalBytes } from '../crypto/bytes.ts';
import type { Suite } from '../crypto/suite.ts';
import { HASH_LENGTH, levelOf, nodeHash } from './merkle.ts';

const MAGIC = 'c2sp.org/tlog-proof@v1';
const MAX_HASHES = 63;

/** A parsed tlog-proof. Nothing in it is verified. */
export interface InclusionProof {
  readonly index: number;
  /** From the leaf's sibling upwards. */
  readonly hashes: readonly Uint8Array[];
  /** The signed note, verbatim. */
  readonly checkpoint: string;
}

/** What an inclusion proof claims. */
export interface InclusionClaim {
  readonly index: number;
  readonly size: number;
  readonly leaf: Uint8Array;
  readonly hashes: readonly Uint8Array[];
}

/** What a consistency proof claims. */
export interface ConsistencyClaim {
  readonly oldSize: number;
  readonly oldRoot: Uint8Array;
  readonly newSize: number;
  readonly newRoot: Uint8Array;
  readonly hashes: readonly Uint8Array[];
}

/** The root that this leaf and these hashes lead to (RFC 9162 §2.1.3.2), or undefined where the proof has a wrong length. */
export function rootOfInclusion(suite: Suite, claim: InclusionClaim): Uint8Array | undefined {
  const { index, size, leaf, hashes } = claim;
  if (index < 0 || index >= size) return undefined;
  let path = { first: index, second: size - 1 };
  let root = leaf;
  for (const hash of hashes) {
    if (path.second === 0) return undefined;
    if (joinsFromLeft(path)) {
      root = nodeHash(suite, hash, root);
      path = skipRightEdge(path);
    } else root = nodeHash(suite, root, hash);
    path = up(path);
  }
  return path.second === 0 ? root : undefined;
}

/** Whether the proof shows that the new tree extends the old one (RFC 9162 §2.1.4.2). An empty old tree proves nothing. */
export function verifyConsistency(suite: Suite, claim: ConsistencyClaim): boolean {
  const { oldSize, oldRoot, newSize, newRoot } = claim;
  if (oldSize < 1 || oldSize > newSize) return false;
  if (oldSize === newSize) return claim.hashes.length === 0 && equalBytes(oldRoot, newRoot);
  if (claim.hashes.length === 0) return false;
  const [start, ...hashes] = levelOf(oldSize) !== undefined ? [oldRoot, ...claim.hashes] : claim.hashes;
  if (!start) return false;
  let path = { first: oldSize - 1, second: newSize - 1 };
  while (path.first % 2 === 1) path = up(path);
  let [first, second] = [start, start];
  for (const hash of hashes) {
    if (path.second === 0) return false;
    if (joinsFromLeft(path)) {
      first = nodeHash(suite, hash, first);
      second = nodeHash(suite, hash, second);
      path = skipRightEdge(path);
    } else second = nodeHash(suite, second, hash);
    path = up(path);
  }
  return path.second === 0 && equalBytes(first, oldRoot) && equalBytes(second, newRoot);
}

/** The proof as c2sp.org/tlog-proof text. */
export function formatProof(proof: InclusionProof): string {
  return proofText(proof.index, proof.hashes.map(toBase64), proof.checkpoint);
}

/** The same, from hashes that are base64 already. */
export function proofText(index: number, hashes: readonly string[], checkpoint: string): string {
  return [MAGIC, `index ${index}`, ...hashes, '', checkpoint].join('\n');
}

/** The proof in this text (attacker-controlled), or undefined; an `extra` line or any stray line is a fault. */
export function parseProof(text: string): InclusionProof | undefined {
  const border = text.indexOf('\n\n');
  if (border < 0) return undefined;
  const [magic, indexLine, ...lines] = text.slice(0, border).split('\n');
  const digits = /^index (0|[1-9][0-9]{0,15})$/.exec(indexLine ?? '')?.[1];
  if (magic !== MAGIC || digits === undefined || lines.length > MAX_HASHES) return undefined;
  const index = Number(digits);
  const hashes = parseHashes(lines);
  if (!hashes || !Number.isSafeInteger(index)) return undefined;
  return { index, hashes, checkpoint: text.slice(border + 2) };
}

function parseHashes(lines: readonly string[]): readonly Uint8Array[] | undefined {
  const hashes: Uint8Array[] = [];
  for (const line of lines) {
    const hash = fromBase64(line);
    if (hash?.length !== HASH_LENGTH) return undefined;
    hashes.push(hash);
  }
  return hashes;
}

/** RFC 9162's `fn` and `sn`: a node's index on its level, and the last index on that level. */
interface Path {
  readonly first: number;
  readonly second: number;
}

function joinsFromLeft({ first, second }: Path): boolean {
  return first % 2 === 1 || first === second;
}

/** Climbs while the node is the lone last one of its level: such a node has no sibling there. */
function skipRightEdge(path: Path): Path {
  while (path.first % 2 === 0 && path.first !== 0) path = up(path);
  return path;
}

function up({ first, second }: Path): Path {
  return { first: Math.floor(first / 2), second: Math.floor(second / 2) };
}
