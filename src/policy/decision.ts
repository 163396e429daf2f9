/** What a policy answers, in exactly one shape; anything else is a denial (threats.md §4). */
import type { ContentMember } from '../call/content.ts';
import type { Outcome } from '../denial/outcome.ts';

/** A limit that a policy sets on a call it allows. Any other type denies. */
export interface Obligation {
  readonly type: 'max_seconds' | 'max_request_bytes' | 'max_response_bytes';
  /** A positive safe integer. */
  readonly value: number;
}

/** The bundle a decision came from, as it goes on record. */
export interface BundleIdentity {
  readonly revision: string;
  /** SHA-256 of policy.wasm's bytes, hex. */
  readonly wasm: string;
  /** SHA-256 of data.json's bytes, hex. */
  readonly data: string;
  /** Always `writ/decision`. */
  readonly entrypoint: string;
  /** SHA-256 over JCS of `{data, entrypoint, wasm}`, hex: what a grant's `policy` claim names. */
  readonly digest: string;
}

/** A policy's answer: reasons sorted, obligations sorted by type then value. */
export interface Decision {
  readonly allow: boolean;
  readonly reasons: readonly string[];
  readonly obligations: readonly Obligation[];
}

/** What came of one evaluation. A denial by rule has `ok: true` with `allow: false`: the policy did answer. */
export interface Evaluation {
  readonly answer: Outcome<Decision>;
  /** The bundle that the call began with. */
  readonly bundle: BundleIdentity;
  /** SHA-256 over JCS of the sorted answer, hex; absent where the policy gave none. */
  readonly result?: string;
}

/** The policy engine as the gate sees it. Never rejects: a fault is an answer with its own code. */
export interface PolicyEngine {
  /** What is active now, for grants bound to a bundle; undefined where none is. */
  readonly active: BundleIdentity | undefined;
  /** What of a body the active bundle's rules may read; nothing where none is active. */
  readonly content: readonly ContentMember[];
  /** Evaluates one input document: the exact JSON text that goes on record by its digest. */
  decide(inputText: string): Promise<Evaluation | undefined>;
}
