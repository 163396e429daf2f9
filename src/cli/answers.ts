/** How a verdict's answers are shown: every question that a verifier asks on a line of its own, asked or not. */
import type { Answer, Verdict } from '../receipt/verdict.ts';
import type { Style } from './table.ts';

/** One question: its name, its answer in a word, and why. */
export type AnswerRow = readonly [
  question: string,
  mark: { readonly text: string; readonly style: Style },
  detail: string,
];

/** The four answers about an entry, in the order in which they were sought. */
export function answerRows({ authentic, untampered, anchored, appendOnly }: Verdict): readonly AnswerRow[] {
  const answers = { authentic, untampered, anchored, 'append-only': appendOnly };
  return Object.entries(answers).map(([question, answer]) => [question, markOf(answer), answer.detail]);
}

function markOf(answer: Answer): AnswerRow[1] {
  if (answer.proven) return { text: 'yes', style: 'good' };
  return answer.code === 'not_checked' ? { text: '–', style: 'dim' } : { text: 'NO', style: 'bad' };
}
