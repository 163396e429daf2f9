/** How every step answers: a value, or a refusal with a code of the one table. */
import type { DenialCode } from './table.ts';

/** A refusal as a value. */
export interface Refusal {
  readonly ok: false;
  readonly code: DenialCode;
  /** For the operator's log only; it may hold what an attacker sent and never enters a response body. */
  readonly detail: string;
  /** Names a policy gave, `[a-z0-9_.]{1,64}`, at most 16; part of the receipt. */
  readonly reasons?: readonly string[];
}

/** A value, or a refusal. */
export type Outcome<T> = { readonly ok: true; readonly value: T } | Refusal;

/** A passed step. */
export function pass<T>(value: T): { readonly ok: true; readonly value: T } {
  return { ok: true, value };
}

/** A refused step. */
export function deny(code: DenialCode, detail: string): Refusal {
  return { ok: false, code, detail };
}
