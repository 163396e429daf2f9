/** Step two: the policy's word on one call. */
import type { Call } from '../call/call.ts';
import { readContent } from '../call/content.ts';
import { deny, pass } from '../denial/outcome.ts';
import type { Outcome } from '../denial/outcome.ts';
import type { Coverage } from '../grant/grant.ts';
import type { Evaluation, Obligation, PolicyEngine } from '../policy/decision.ts';
import { inputText } from '../policy/input.ts';
import { joinEvaluations } from '../policy/joined.ts';
import { salted, TIER } from './findings.ts';
import type { Findings } from './findings.ts';
import type { Clock } from './outside.ts';

/** What is asked. */
export interface Question {
  readonly call: Call;
  readonly coverage: Coverage;
  readonly policy: PolicyEngine;
  readonly trust: () => Outcome<'trusted'>;
  readonly clock: Clock;
}

/** The obligations of a call that policy allows. What was asked and answered goes into `found`, for the record. */
export async function authorize(
  found: Findings,
  { call, coverage, policy, trust, clock }: Question,
): Promise<Outcome<readonly Obligation[]>> {
  if (!policy.active) return deny('policy_unavailable', 'no policy bundle is active');
  const trusted = trust(); // the input says that it is
  if (!trusted.ok) return trusted;
  const order = { members: policy.content, limit: found.rules.boundBytes };
  const contents = readContent(call, found.body?.bytes, order); // in the turn in which that policy is asked
  if (!contents.ok) return contents;
  const wallMs = clock.wall();
  const inputs = contents.value.map((content) => inputText({ call, coverage, mode: TIER, wallMs, content }));
  const evaluations = await Promise.all(inputs.map((input) => policy.decide(input)));
  const evaluation = joinEvaluations(evaluations.filter((each): each is Evaluation => each !== undefined));
  if (!evaluation) return deny('policy_unavailable', 'no policy bundle is active');
  found.evaluation = evaluation;
  found.asked = inputs;
  found.replay = { input: salted(found.salt, inputs.join('\n')), now: new Date(wallMs).toISOString() };
  const { answer, bundle } = evaluation;
  const { policy: bound = bundle.digest } = coverage.grant.root;
  if (bound !== bundle.digest) return deny('grant_wrong_policy', `${bound}, decided by ${bundle.digest}`); // changed since
  if (!answer.ok) return answer;
  const { allow, reasons, obligations } = answer.value;
  if (!allow) return { ...deny('policy_denied', `by ${reasons.join(', ') || 'no allow rule'}`), reasons };
  return pass(obligations);
}
