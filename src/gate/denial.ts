/** A refusal on its way to the agent: the problem document of formats.md §4. */
import { canonicalJson } from '../crypto/json.ts';
import { denials } from '../denial/table.ts';
import type { DenialCode } from '../denial/table.ts';

/** A finished denial: status, our headers, and the exact body bytes as text. */
export interface Denial {
  readonly id: string;
  readonly code: DenialCode;
  readonly status: 403 | 407;
  /** Serialised problem+json with `receipt` and `proof`. */
  readonly body: string;
  /** Without a working signer the connection closes after the reply. */
  readonly close: boolean;
}

/** The members of the body that `shown` binds, before receipt and proof join them. */
export interface ProblemMembers {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly instance: string;
  readonly code: DenialCode;
  readonly remedy: string;
  readonly opening?: { readonly salt: string };
}
