/** A refusal on its way to the agent: the problem document of formats.md §4. */
import { toBase64url } from '../crypto/base64.ts';
import { sha256Hex } from '../crypto/node.ts';
import { denials } from '../denial/table.ts';
import type { DenialCode } from '../denial/table.ts';

/** What the agent's HTTP client is told; 403 is the rule. */
export type DenialStatus = 403 | 407 | 421;

/** 421 lets the client of a coalesced stream ask again elsewhere; 407, where it is set, asks for proxy credentials. */
export function statusOf(code: DenialCode, challenge: boolean): DenialStatus {
  if (code === 'authority_misdirected') return 421;
  return challenge && code === 'grant_missing' ? 407 : 403;
}

/** A finished denial: status, our headers, and the exact body as text. */
export interface Denial {
  readonly id: string;
  readonly code: DenialCode;
  readonly status: DenialStatus;
  /** Serialised problem+json with `receipt` and `proof`. */
  readonly body: string;
  /** Without a working signer, and after a call that broke the rules of HTTP, the connection closes after the reply. */
  readonly close: boolean;
}

/** The members of the body that `shown` binds, before receipt and proof join them. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: DenialStatus;
  readonly detail: string;
  readonly instance: string;
  readonly code: DenialCode;
  readonly remedy: string;
  readonly opening: { readonly salt: string };
}

/** What there is to show for a denial: recorded, signed only, or nothing. */
export type Evidence =
  | { readonly receipt: string; readonly proof: string }
  | { readonly receipt: string; readonly proof: null }
  | { readonly receipt: null; readonly proof: null };

/** The problem document of a code; every text comes from the table and the reasons, nothing echoes the call. */
export function problemOf(given: {
  readonly id: string;
  readonly code: DenialCode;
  readonly reasons: readonly string[];
  readonly salt: Uint8Array;
  readonly status: DenialStatus;
}): Problem {
  const { title, remedy } = denials[given.code];
  return {
    type: `urn:writ:denial:${given.code}`,
    title,
    status: given.status,
    detail: given.reasons.length > 0 ? `${title}: ${given.reasons.join(', ')}.` : `${title}.`,
    instance: `urn:uuid:${given.id}`,
    code: given.code,
    remedy,
    opening: { salt: toBase64url(given.salt) },
  };
}

/** SHA-256, hex, over JCS of the problem: what the receipt binds as `shown`. Members are written in JCS order. */
export function shownDigest(problem: Problem): string {
  const { code, detail, instance, opening, remedy, status, title, type } = problem;
  return sha256Hex(JSON.stringify({ code, detail, instance, opening, remedy, status, title, type }));
}

/** Joins problem and evidence to the reply. Receipts are JSON text already and go in as they were signed. */
export function denialOf(id: string, problem: Problem, evidence: Evidence): Denial {
  const { opening, ...members } = problem;
  const head = JSON.stringify(members).slice(0, -1);
  const proof = JSON.stringify(evidence.proof);
  return {
    id,
    code: problem.code,
    status: problem.status,
    body: `${head},"receipt":${evidence.receipt ?? 'null'},"proof":${proof},"opening":${JSON.stringify(opening)}}`,
    close: evidence.receipt === null,
  };
}
