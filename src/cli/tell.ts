/** How the demo and the tour tell their scenes. */
import type { Scene } from '../demo/story.ts';
import type { Verdict } from '../receipt/verdict.ts';
import { answerRows } from './answers.ts';
import { out } from './screen.ts';
import { safeText } from '../config/safe-text.ts';

const INDENT = '   ';
const BODY_SHOWN = 160;

/** One call: what was asked, what came back. */
export function tellScene(number: number, { title, method, url, answer, asTold }: Scene): void {
  out.line();
  out.line(`${out.paint('strong', `${number}  ${title}`)}`);
  out.line(`${INDENT}${method} ${safeText(url)}`);
  const mark =
    answer.status < 300 ? out.paint('good', String(answer.status)) : out.paint('bad', String(answer.status));
  out.line(`${INDENT}${mark}  ${out.paint('dim', answer.decision || 'no Writ-Decision header')}`);
  out.line(`${INDENT}${safeText(shown(answer.body))}`);
  if (!asTold) out.line(`${INDENT}${out.paint('bad', 'This is not what the story says: please report it.')}`);
}

/** The verdict on a denial: each question on its own line. */
export function tellVerdict(verdict: Verdict): void {
  for (const [question, { text, style }, detail] of answerRows(verdict))
    out.line(
      `${INDENT}${question.padEnd(11)}  ${out.paint(style, text.padEnd(3))}  ${out.paint('dim', detail)}`,
    );
}

/** A heading of the story. */
export function tellTitle(number: number, title: string): void {
  out.line();
  out.line(out.paint('strong', `${number}  ${title}`));
}

/** A sentence under a heading. */
export function tell(text: string): void {
  out.line(`${INDENT}${safeText(text)}`);
}

/** A denial's members that people read; any other body as it is, shortened. */
function shown(body: string): string {
  const denial = /^\{"type":"urn:writ:denial:/.test(body)
    ? (JSON.parse(body) as Record<string, unknown>)
    : undefined; // our own sidecar's
  if (denial) return `${String(denial['detail'])} ${String(denial['remedy'])}`;
  const line = body.trim();
  return line.length > BODY_SHOWN ? `${line.slice(0, BODY_SHOWN)}…` : line;
}
