/**
 * Verifies a denial offline, from its body and a trust file alone, in the order of formats.md §4. Imports nothing of
 * Node, so that browsers reach the same verdict by the same code.
 */
import { encodeUtf8, equalBytes, toHex } from '../crypto/bytes.ts';
import type { Json } from '../crypto/json.ts';
import type { Suite } from '../crypto/suite.ts';
import { parseHead } from '../lineage/checkpoint.ts';
import type { TreeHead } from '../lineage/checkpoint.ts';
import { leafHash } from '../lineage/merkle.ts';
import { noteSigners, parseNote } from '../lineage/note.ts';
import type { NoteKey, SignedNote } from '../lineage/note.ts';
import { parseProof, rootOfInclusion } from '../lineage/proof.ts';
import type { InclusionProof } from '../lineage/proof.ts';
import { isQuorum } from '../lineage/tlog-policy.ts';
import { parseDenialBody, shownText } from './body.ts';
import type { DenialBody } from './body.ts';
import { openEnvelope, PAYLOAD_TYPE, preAuthEncoding } from './dsse.ts';
import { readDenialStatement } from './statement.ts';
import type { DenialStatement } from './statement.ts';
import type { Trust } from './trust-file.ts';
import { notChecked, proven, unproven } from './verdict.ts';
import type { Answer, FaultCode, Verdict } from './verdict.ts';

/** The verdict on the body of a 403 (attacker-controlled text), under these keys. Never throws. */
export function verifyDenial(suite: Suite, text: string, trust: Trust): Verdict {
  const body = parseDenialBody(text);
  if (!body) return nothingProven(notChecked('the body cannot be read'), unproven('body_malformed'));
  const receipt = checkReceipt(suite, body.receipt, trust);
  if (typeof receipt === 'string')
    return nothingProven(unproven(receipt), notChecked('there is nothing authentic to compare with'));
  const { denial, keyid } = receipt;
  const anchored = checkAnchor(suite, { receipt, proof: body.proof, trust });
  return {
    authentic: proven(`signed by the trusted receipt key ${keyid}`),
    untampered: checkShown(suite, body, denial),
    anchored,
    unproven: limits(denial, anchored, trust),
    statement: denial.statement,
  };
}

interface AuthenticReceipt {
  readonly denial: DenialStatement;
  readonly payload: Uint8Array;
  readonly keyid: string;
}

function checkReceipt(suite: Suite, value: Json | undefined, trust: Trust): AuthenticReceipt | FaultCode {
  if (value === null) return 'receipt_missing';
  const envelope = openEnvelope(value);
  if (!envelope) return 'receipt_malformed';
  const { payload, keyid, signature } = envelope;
  const key = trust.receiptKeys.find(({ id }) => id === keyid);
  if (!key) return 'receipt_unknown_key';
  if (!suite.verify(key, preAuthEncoding(PAYLOAD_TYPE, payload), signature)) return 'receipt_bad_signature';
  const denial = readDenialStatement(suite, payload);
  return typeof denial === 'string' ? denial : { denial, payload, keyid };
}

interface Anchoring {
  readonly receipt: AuthenticReceipt;
  readonly proof: Json | undefined;
  readonly trust: Trust;
}

function checkAnchor(suite: Suite, { receipt, proof, trust }: Anchoring): Answer {
  const { denial, payload } = receipt;
  if (denial.kind === 'refusal') return unproven(proof === null ? 'not_recorded' : 'proof_malformed');
  if (typeof proof !== 'string') return unproven('proof_missing');
  const claim = readProof(proof);
  if (!claim) return unproven('proof_malformed');
  if (claim.proof.index !== denial.seq) return unproven('proof_wrong_index');
  const log = trust.logs.find(({ name }) => name === denial.origin);
  if (claim.head.origin !== denial.origin || !log) return unproven('proof_wrong_log');
  const { index, hashes } = claim.proof;
  const root = rootOfInclusion(suite, {
    index,
    hashes,
    size: claim.head.size,
    leaf: leafHash(suite, payload),
  });
  if (!root || !equalBytes(root, claim.head.root)) return unproven('proof_wrong_root');
  return checkSigners(suite, { note: claim.note, log, trust, head: claim.head, index });
}

interface Signing {
  readonly note: SignedNote;
  readonly log: NoteKey;
  readonly trust: Trust;
  readonly head: TreeHead;
  readonly index: number;
}

function checkSigners(suite: Suite, { note, log, trust, head, index }: Signing): Answer {
  const signers = noteSigners(suite, note, [log, ...trust.witnesses]);
  if (!signers?.includes(log)) return unproven('checkpoint_bad_signature');
  if (!isQuorum(trust.quorum, signers)) return unproven('witnesses_missing');
  return proven(`entry ${index} of ${head.origin}, under its signed checkpoint of ${head.size} entries`);
}

interface ProofClaim {
  readonly proof: InclusionProof;
  readonly note: SignedNote;
  readonly head: TreeHead;
}

function readProof(text: string): ProofClaim | undefined {
  const proof = parseProof(text);
  const note = proof && parseNote(proof.checkpoint);
  const head = note && parseHead(note.text);
  return head ? { proof, note, head } : undefined;
}

function checkShown(suite: Suite, { shown }: DenialBody, denial: DenialStatement): Answer {
  const same =
    toHex(suite.sha256(encodeUtf8(shownText(shown)))) === denial.shown &&
    shown.code === denial.code &&
    shown.instance === `urn:uuid:${denial.id}`;
  return same ? proven('the body shows exactly what was signed') : unproven('shown_changed');
}

function nothingProven(authentic: Answer, untampered: Answer): Verdict {
  return { authentic, untampered, anchored: notChecked('there is no authentic statement'), unproven: [] };
}

/** What a denial leaves open, however good it is (formats.md §3, "What a denial proves"). */
function limits(denial: DenialStatement, anchored: Answer, trust: Trust): readonly string[] {
  const open = [
    'when it happened: `at` is the sidecar’s own clock',
    'completeness: no proof shows that every call was recorded',
  ];
  if (denial.kind === 'refusal') open.unshift(`that it is in the log: it is not (${denial.why})`);
  if (anchored.proven && trust.quorum.kind === 'none')
    open.push('that everyone is shown the same log: no witness was asked for');
  return open;
}
