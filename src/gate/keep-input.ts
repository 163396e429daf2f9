/** What a policy was asked is handed on once the decision is on record: what is only counted is not kept. */
import { decisionText } from '../policy/answer.ts';
import type { Findings } from './findings.ts';
import type { Inputs } from './outside.ts';

/** Hands it to whoever keeps it, if anybody does; the call does not hold it any longer. */
export function keepInput(found: Findings, seq: number, inputs: Inputs | undefined): void {
  const { asked, evaluation, replay, salt } = found;
  found.asked = undefined;
  if (!inputs || asked === undefined || !evaluation || !replay) return;
  const { answer } = evaluation;
  const result = answer.ok ? decisionText(answer.value) : undefined;
  inputs.keep(seq, { digest: replay.input, salt, inputs: asked, result });
}
