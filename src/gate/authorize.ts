/** Step two: the policy's word on one call. */
import type { Call } from '../call/call.ts';
import type { Outcome } from '../denial/outcome.ts';
import { deny, pass } from '../denial/outcome.ts';
import type { Coverage } from '../grant/grant.ts';
import type { Obligation, PolicyEngine } from '../policy/decision.ts';
import { inputText } from '../policy/input.ts';
import { salted } from './findings.ts';
import type { Findings } from './findings.ts';
import type { Clock } from './outside.ts';

/** What is asked. */
export interface Question {
  readonly call: Call;
  readonly coverage: Coverage;
  readonly policy: PolicyEngine;
  readonly clock: Clock;
}

/** The obligations of a call that policy allows. What was asked and answered goes into `found`, for the record. */
export async function authorize(
  found: Findings,
  question: Question,
): Promise<Outcome<readonly Obligation[]>> {
  const { call, coverage, policy, clock } = question;
  const wallMs = clock.wall();
  const input = inputText({ call, coverage, mode: found.rules.tier, wallMs });
  const evaluation = await policy.decide(input);
  if (!evaluation) return deny('policy_unavailable', 'no policy bundle is active');
  found.evaluation = evaluation;
  found.replay = { input: salted(found.salt, input), now: new Date(wallMs).toISOString() };
  const { answer, bundle } = evaluation;
  const { policy: bound = bundle.digest } = coverage.grant.root;
  if (bound !== bundle.digest) return deny('grant_wrong_policy', `${bound}, decided by ${bundle.digest}`); // changed since
  if (!answer.ok) return answer;
  const { allow, reasons, obligations } = answer.value;
  if (!allow) return { ...deny('policy_denied', `by ${reasons.join(', ') || 'no allow rule'}`), reasons };
  return pass(obligations);
}
