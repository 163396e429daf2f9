/** Decisions as events of OPA's decision log, version 1, for tools that read those of OPA itself. */
import { sha256Hex } from '../../crypto/node.ts';
import { questionOf } from '../../policy/redecide.ts';
import type { RecordedQuestion } from '../../policy/redecide.ts';
import type { Document, Exported } from './export.ts';
import { memberOf, textOf } from '../statement-fields.ts';
import { version } from '../version.ts';

/** The event of a decision for which a policy was asked; undefined for any other entry. */
export function opaEvent({ seq, statement, asked }: Exported): Document | undefined {
  const question = questionOf(seq, statement);
  if (!question) return undefined;
  const predicate = memberOf(statement, 'predicate');
  const entry = memberOf(predicate, 'entry');
  const subject = memberOf(statement, 'subject');
  const [, trace, span] =
    /^00-([0-9a-f]{32})-([0-9a-f]{16})-/.exec(textOf(memberOf(predicate, 'trace')) ?? '') ?? [];
  const inputs = asked?.inputs.map((text) => JSON.parse(text) as unknown);
  const named = Array.isArray(subject) ? memberOf(subject[0], 'name') : undefined;
  return {
    labels: { app: 'writ', id: textOf(memberOf(entry, 'origin')) ?? '', version: version() },
    decision_id: textOf(named)?.replace('urn:uuid:', ''),
    trace_id: trace,
    span_id: span,
    bundles: { writ: { revision: question.revision } },
    path: 'writ/decision',
    ...(inputs && { input: inputs.length === 1 ? inputs[0] : inputs }),
    result: resultOf(question, asked?.result),
    requested_by: textOf(memberOf(memberOf(predicate, 'grant'), 'sub')),
    timestamp: textOf(memberOf(entry, 'at')),
    custom: {
      writ: {
        entry: seq,
        bundle: question.bundle,
        verdict: memberOf(predicate, 'verdict'),
        code: question.code,
        digest: question.input,
        salt: asked?.salt,
      },
    },
  };
}

/** The whole decision where it was kept, by its digest on record; else what the entry says, without obligations. */
function resultOf({ result, code, reasons }: RecordedQuestion, kept: string | undefined): unknown {
  if (result === undefined) return undefined;
  if (kept !== undefined && sha256Hex(kept) === result) return JSON.parse(kept);
  return { allow: code !== 'policy_denied', reasons: code === 'policy_denied' ? reasons : [] };
}
