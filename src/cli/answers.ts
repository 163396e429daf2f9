/** How a verdict's answers are shown: every question that a verifier asks on a line of its own, asked or not. */
import type { Answer, Existed, Verdict } from '../receipt/verdict.ts';
import type { Style } from './table.ts';

/** One question: its name, its answer in a word, and why. */
export type AnswerRow = readonly [
  question: string,
  mark: { readonly text: string; readonly style: Style },
  detail: string,
];

/** The four answers about an entry, in the order in which they were sought, and that of a timestamp where one was given. */
export function answerRows(
  { authentic, untampered, anchored, appendOnly }: Verdict,
  existed?: Existed,
): readonly AnswerRow[] {
  const four = { authentic, untampered, anchored, 'append-only': appendOnly };
  const answers = existed ? { ...four, existed } : four;
  return Object.entries<Answer | Existed>(answers).map(([question, answer]) => [
    question,
    markOf(answer),
    answer.detail,
  ]);
}

function markOf(answer: Answer | Existed): AnswerRow[1] {
  if (answer.proven) return { text: 'yes', style: 'good' };
  return answer.code === 'not_checked' ? { text: '–', style: 'dim' } : { text: 'NO', style: 'bad' };
}
