/** The two screens of this process. */
import { makeScreen } from './table.ts';

/** Data: what a pipe gets. */
export const out = makeScreen(process.stdout, process.env);

/** Talk: faults, hints, progress. */
export const err = makeScreen(process.stderr, process.env);
