/** What main and a policy thread say to each other. */
import type { DenialCode } from '../denial/table.ts';
import type { Bundle } from './bundle.ts';
import type { EngineLimits } from './engine.ts';

/** What a thread is started with. */
export interface ThreadStart {
  readonly bundle: Bundle;
  readonly limits: EngineLimits;
  /** Shared: where the thread is, so that main can tell which evaluation does not end. */
  readonly progress: Int32Array;
}

/** Cells of `progress`: the number of the batch, and the position in it from 1; 0 between evaluations. */
export const progressCells = { batch: 0, position: 1 } as const;

/** The first word of a thread: whether it can evaluate its bundle. */
export interface Opening {
  readonly fault: string | null;
}

/** Main's order: input documents to evaluate, in order. Numbers are consecutive Int32 values that wrap. */
export interface BatchOrder {
  readonly number: number;
  readonly inputs: readonly string[];
}

/** One answer: the decision as RFC 8785 text, or why there is none. */
export type ThreadAnswer = string | { readonly code: DenialCode; readonly detail: string };
