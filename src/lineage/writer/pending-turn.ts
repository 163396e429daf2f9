/** What was handed to the writer thread in one turn of the event loop, and who waits for it. */
import { LineageUnavailable } from '../lineage.ts';
import type { Recorded } from '../lineage.ts';
import type { Ask, AskAnswer, TurnAnswer } from './protocol.ts';

/** Who waits for an entry. */
export interface PendingAppend {
  readonly resolve: (recorded: Recorded) => void;
  readonly reject: (cause: Error) => void;
  readonly late: ((seq: number) => void) | undefined;
  readonly patient: boolean;
}

/** Who waits for an answer that records nothing. */
export interface PendingAsk {
  readonly resolve: (text: string | undefined) => void;
  readonly reject: (cause: Error) => void;
}

/** One turn of the event loop: what was asked in it, and since when it waits. */
export class PendingTurn {
  readonly texts: string[] = [];
  readonly evidenceFor: number[] = [];
  readonly asks: Ask[] = [];
  readonly appends: PendingAppend[] = [];
  readonly answers: PendingAsk[] = [];
  /** Milliseconds of `performance.now`. */
  readonly since = performance.now();
  /** Whether its promises were rejected because it waited too long. */
  overdue = false;
  close = false;
  /** Nothing in it is in a hurry: it goes with the next turn that has something to say, or when this calls. */
  idle: NodeJS.Timeout | undefined;

  reject(cause: Error): void {
    for (const { reject } of [...this.appends, ...this.answers]) reject(cause);
  }

  /** Nobody waits for it any more, but for what has the patience. */
  giveUp(cause: Error): void {
    this.overdue = true;
    const impatient = this.appends.filter(({ patient }) => !patient);
    for (const { reject } of [...impatient, ...this.answers]) reject(cause);
  }

  /** The writer has answered. `failure`: the log stopped by it, so that nothing of this turn counts as recorded. */
  settle(answer: TurnAnswer, failure: LineageUnavailable | undefined): void {
    const evidence = new Map(answer.evidence.map((one) => [one.draft, one]));
    for (const [i, pending] of this.appends.entries()) {
      const seq = answer.first + i;
      if (failure) pending.reject(failure);
      else if (this.overdue && !pending.patient) pending.late?.(seq);
      else pending.resolve(recorded(seq, evidence.get(i)));
    }
    for (const [i, pending] of this.answers.entries()) settleAsk(pending, answer.answers[i]);
  }
}

function settleAsk({ resolve, reject }: PendingAsk, answer: AskAnswer | undefined): void {
  if (!answer || 'fault' in answer) reject(new LineageUnavailable(answer?.fault ?? 'no answer'));
  else resolve(answer.text);
}

function recorded(seq: number, evidence: Recorded['evidence']): Recorded {
  return evidence ? { seq, evidence: { receipt: evidence.receipt, proof: evidence.proof } } : { seq };
}
