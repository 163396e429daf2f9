/** Whether a statement is an entry of the log, from its bytes, a tlog-proof and a trust file. Portable. */
import { equalBytes } from '../crypto/bytes.ts';
import type { Suite } from '../crypto/suite.ts';
import { leafHash } from '../lineage/merkle.ts';
import { parseProof, rootOfInclusion } from '../lineage/proof.ts';
import type { Trust } from './trust-file.ts';
import { proven, unproven } from './verdict.ts';
import type { Answer, FaultCode } from './verdict.ts';
import { checkSigners, readCheckpoint } from './verify-checkpoint.ts';
import type { SignedHead } from './verify-checkpoint.ts';

/** What is claimed: that these bytes are entry `seq` of the log `origin`. */
export interface AnchorClaim {
  readonly origin: string;
  readonly seq: number;
  readonly payload: Uint8Array;
  /** tlog-proof text (attacker-controlled). */
  readonly proof: string;
}

/** The answer, and the checkpoint that it rests on. */
export interface Anchor {
  readonly answer: Answer;
  /** Only where proven. */
  readonly head?: SignedHead;
}

/** Checks the claim in the order of formats.md §4: index, origin, root, the log's signature, its witnesses. */
export function checkAnchor(suite: Suite, claim: AnchorClaim, trust: Trust): Anchor {
  const found = anchorOf(suite, claim, trust);
  if (typeof found === 'string') return { answer: unproven(found) };
  const { origin, size, cosigned } = found;
  const by = cosigned.length === 0 ? '' : `, cosigned by ${cosigned.length} of the known witnesses`;
  const detail = `entry ${claim.seq} of ${origin}, under its signed checkpoint of ${size} entries${by}`;
  return { answer: proven(detail), head: found };
}

function anchorOf(suite: Suite, claim: AnchorClaim, trust: Trust): SignedHead | FaultCode {
  const proof = parseProof(claim.proof);
  const checkpoint = proof && readCheckpoint(proof.checkpoint);
  if (!checkpoint) return 'proof_malformed';
  if (proof.index !== claim.seq) return 'proof_wrong_index';
  const { head } = checkpoint;
  const log = trust.logs.find(({ name }) => name === claim.origin);
  if (head.origin !== claim.origin || !log) return 'proof_wrong_log';
  const { index, hashes } = proof;
  const leaf = leafHash(suite, claim.payload);
  const root = rootOfInclusion(suite, { index, hashes, size: head.size, leaf });
  if (!root || !equalBytes(root, head.root)) return 'proof_wrong_root';
  const signed = checkSigners(suite, checkpoint, { log, trust });
  if (typeof signed === 'string') return signed;
  return signed.enough ? signed : 'witnesses_missing';
}
