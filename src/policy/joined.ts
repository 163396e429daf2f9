/** One decision out of several: the messages of a batch are decided one by one, and the whole passes or falls as one. */
import { sha256Hex } from '../crypto/node.ts';
import { deny, pass } from '../denial/outcome.ts';
import { byTypeAndValue, decisionText, MAX_REASONS } from './answer.ts';
import type { Decision, Evaluation } from './decision.ts';

/**
 * The evaluation that stands for all: the first without an answer, else allowed where each allows, with every reason and
 * obligation of any. Undefined for none.
 */
export function joinEvaluations(evaluations: readonly Evaluation[]): Evaluation | undefined {
  const [first, ...others] = evaluations;
  if (!first || others.length === 0) return first;
  const decisions: Decision[] = [];
  for (const evaluation of evaluations) {
    if (!evaluation.answer.ok) return evaluation;
    if (evaluation.bundle.digest !== first.bundle.digest)
      return { answer: deny('policy_failed', 'a batch met two policies'), bundle: first.bundle };
    decisions.push(evaluation.answer.value);
  }
  const joined = joinDecisions(decisions);
  return { answer: pass(joined), bundle: first.bundle, result: sha256Hex(decisionText(joined)) };
}

function joinDecisions(decisions: readonly Decision[]): Decision {
  const reasons = [...new Set(decisions.flatMap((decision) => decision.reasons))].sort();
  const obligations = new Map(
    decisions.flatMap((decision) => decision.obligations.map((each) => [`${each.type} ${each.value}`, each])),
  );
  return {
    allow: decisions.every(({ allow }) => allow),
    reasons: reasons.slice(0, MAX_REASONS),
    obligations: [...obligations.values()].sort(byTypeAndValue),
  };
}
