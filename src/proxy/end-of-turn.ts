/**
 * What is written to other processes in one turn of the event loop leaves at its end, all together. Waking a process that
 * sleeps costs several times what the write costs; one that is awake reads the rest as well.
 */
import type { Writable } from 'node:stream';

let waiting: (() => void)[] = [];

/** Does it once every event of this turn was heard. */
export function atEndOfTurn(work: () => void): void {
  if (waiting.push(work) === 1) setImmediate(doAll);
}

/** Holds what is written to a stream from now on until the end of this turn. */
export function holdForTurn(stream: Writable): void {
  stream.cork();
  atEndOfTurn(() => stream.uncork());
}

function doAll(): void {
  const due = waiting;
  waiting = [];
  for (const work of due) work();
}
