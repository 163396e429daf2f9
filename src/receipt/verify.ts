/**
 * Verifies denials, receipts and entries offline, from what came with them and a trust file alone, in the order of
 * formats.md §4. Imports nothing of Node, so that browsers reach the same verdict by the same code.
 */
import { encodeUtf8, toHex } from '../crypto/bytes.ts';
import { parseStrictJson } from '../crypto/json.ts';
import type { Json, JsonObject } from '../crypto/json.ts';
import type { Suite } from '../crypto/suite.ts';
import { parseDenialBody, shownText } from './body.ts';
import type { DenialBody } from './body.ts';
import { openEnvelope, PAYLOAD_TYPE, preAuthEncoding } from './dsse.ts';
import { readDenialStatement, readEntryStatement } from './statement.ts';
import type { DenialStatement } from './statement.ts';
import type { Trust } from './trust-file.ts';
import { notChecked, proven, TIME_UNPROVEN, unproven } from './verdict.ts';
import type { Answer, FaultCode, Verdict } from './verdict.ts';
import { checkAnchor } from './verify-anchor.ts';
import type { Anchor } from './verify-anchor.ts';
import { continuationOf, limitsOfLog } from './verify-checkpoint.ts';
import type { Remembered } from './verify-checkpoint.ts';

/** What a verifier goes by: whose keys it believes, and what it remembers of the log. */
export interface Ground extends Trust {
  readonly remembered?: Remembered | undefined;
}

/** The verdict on the body of a 403 (attacker-controlled text). Never throws. */
export function verifyDenial(suite: Suite, text: string, ground: Ground): Verdict {
  const body = parseDenialBody(text);
  if (!body) return nothingProven(ground, notChecked('the body cannot be read'), unproven('body_malformed'));
  const receipt = checkReceipt(suite, body.receipt, ground);
  if (typeof receipt === 'string') return nothingProven(ground, unproven(receipt), NOTHING_TO_COMPARE);
  const { payload, keyid } = receipt;
  const denial = readDenialStatement(suite, payload);
  if (typeof denial === 'string') return nothingProven(ground, unproven(denial), NOTHING_TO_COMPARE);
  return verdictOn(suite, ground, {
    authentic: signedBy(keyid),
    untampered: checkShown(suite, body, denial),
    anchor: anchorOf(suite, { denial, payload, proof: body.proof }, ground),
    statement: denial.statement,
    ...(denial.kind === 'refusal' && { unrecorded: denial.why }),
  });
}

/** An entry's receipt: a DSSE envelope as JSON text, and the tlog-proof of the entry. */
export interface Receipt {
  readonly receipt: string;
  readonly proof: string;
}

/** The verdict on the receipt of any entry (attacker-controlled texts). Never throws. */
export function verifyReceipt(suite: Suite, { receipt: text, proof }: Receipt, ground: Ground): Verdict {
  const receipt = checkReceipt(suite, parseStrictJson(text), ground);
  if (typeof receipt === 'string') return nothingProven(ground, unproven(receipt), NOTHING_SHOWN);
  const { payload, keyid } = receipt;
  const entry = readEntryStatement(suite, payload);
  if (!entry) return nothingProven(ground, unproven('statement_malformed'), NOTHING_SHOWN);
  const { origin, seq, statement } = entry;
  const anchor = checkAnchor(suite, { origin, seq, payload, proof }, ground);
  return verdictOn(suite, ground, {
    authentic: signedBy(keyid),
    untampered: NOTHING_SHOWN,
    anchor,
    statement,
  });
}

/** An entry's own bytes, as they are in the log, and its tlog-proof. */
export interface ProvenEntry {
  readonly entry: Uint8Array;
  readonly proof: string;
}

/** The verdict on an entry without a receipt (attacker-controlled): only the log's key vouches for it. Never throws. */
export function verifyInclusion(
  suite: Suite,
  { entry: payload, proof }: ProvenEntry,
  ground: Ground,
): Verdict {
  const entry = readEntryStatement(suite, payload);
  if (!entry) return nothingProven(ground, unproven('statement_malformed'), NOTHING_SHOWN);
  const { origin, seq, statement } = entry;
  const anchor = checkAnchor(suite, { origin, seq, payload, proof }, ground);
  const authentic = notChecked('there is no receipt: the checkpoint’s signature is all that vouches for it');
  const shown = anchor.answer.proven ? { statement } : {};
  return verdictOn(suite, ground, { authentic, untampered: NOTHING_SHOWN, anchor, ...shown });
}

const NOTHING_TO_COMPARE = notChecked('there is nothing authentic to compare with');
const NOTHING_SHOWN = notChecked('nothing is shown beside what was signed');

function signedBy(keyid: string): Answer {
  return proven(`signed by the trusted receipt key ${keyid}`);
}

interface AuthenticReceipt {
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
  return { payload, keyid };
}

interface Anchoring {
  readonly denial: DenialStatement;
  readonly payload: Uint8Array;
  readonly proof: Json | undefined;
}

function anchorOf(suite: Suite, { denial, payload, proof }: Anchoring, trust: Trust): Anchor {
  if (denial.kind === 'refusal')
    return { answer: unproven(proof === null ? 'not_recorded' : 'proof_malformed') };
  if (typeof proof !== 'string') return { answer: unproven('proof_missing') };
  const { origin, seq } = denial;
  return checkAnchor(suite, { origin, seq, payload, proof }, trust);
}

function checkShown(suite: Suite, { shown }: DenialBody, denial: DenialStatement): Answer {
  const same =
    toHex(suite.sha256(encodeUtf8(shownText(shown)))) === denial.shown &&
    shown.code === denial.code &&
    shown.instance === `urn:uuid:${denial.id}`;
  return same ? proven('the body shows exactly what was signed') : unproven('shown_changed');
}

interface Findings {
  readonly authentic: Answer;
  readonly untampered: Answer;
  readonly anchor: Anchor;
  readonly statement?: JsonObject;
  /** Why a refusal is in no log. */
  readonly unrecorded?: string;
}

function verdictOn(suite: Suite, ground: Ground, found: Findings): Verdict {
  const { authentic, untampered, anchor, statement, unrecorded } = found;
  const continuation = continuationOf(suite, anchor.head, ground.remembered);
  return {
    authentic,
    untampered,
    anchored: anchor.answer,
    appendOnly: continuation.answer,
    unproven: [
      ...(unrecorded === undefined ? [] : [`that it is in the log: it is not (${unrecorded})`]),
      TIME_UNPROVEN,
      'completeness: no proof shows that every call was recorded',
      ...limitsOfLog(anchor.head, continuation, ground),
    ],
    keysFrom: ground.from,
    cosigned: anchor.head?.cosigned ?? [],
    ...(anchor.head && { checkpoint: anchor.head.checkpoint }),
    ...(statement && { statement }),
  };
}

function nothingProven({ from }: Ground, authentic: Answer, untampered: Answer): Verdict {
  const anchored = notChecked('there is no authentic statement');
  return {
    authentic,
    untampered,
    anchored,
    appendOnly: anchored,
    unproven: [],
    keysFrom: from,
    cosigned: [],
  };
}
