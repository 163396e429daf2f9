/** The demo's scenes: real calls through the forward port, and what a stranger can prove about them afterwards. */
import { noble } from '../crypto/noble.ts';
import type { Trust } from '../receipt/trust-file.ts';
import { verifyDenial } from '../receipt/verify.ts';
import type { Verdict } from '../receipt/verdict.ts';
import { callThrough } from './client.ts';
import type { DemoAnswer } from './client.ts';
import type { Stage } from './stage.ts';

/** One call of the story, and how it went. */
export interface Scene {
  readonly title: string;
  readonly method: string;
  readonly url: string;
  readonly answer: DemoAnswer;
  /** Whether it went as the story says. */
  readonly asTold: boolean;
}

const AGENT = 'agent:demo';

/** A read that grant and policy allow. */
export async function allowedScene(stage: Stage): Promise<Scene> {
  const grant = await grantFor(stage, { actions: ['GET'] });
  return play(stage, { title: 'An allowed call', method: 'GET', path: '/orders', grant, expected: 'permit' });
}

/** A removal: the grant would cover it, the policy does not. */
export async function policyScene(stage: Stage): Promise<Scene> {
  const grant = await grantFor(stage, { actions: ['GET', 'DELETE'] });
  const title = 'Refused by policy: the grant covers DELETE, but names no ticket';
  return play(stage, { title, method: 'DELETE', path: '/orders/1', grant, expected: 'policy_denied' });
}

/** A method that the grant does not give. */
export async function scopeScene(stage: Stage): Promise<Scene> {
  const grant = await grantFor(stage, { actions: ['GET'] });
  const title = 'Refused by scope: the grant gives GET only';
  return play(stage, { title, method: 'POST', path: '/orders', grant, expected: 'scope_action' });
}

/** A grant for one call, used twice. */
export async function replayScene(stage: Stage): Promise<Scene> {
  const grant = await grantFor(stage, { actions: ['GET'], max_calls: 1 });
  const once = { title: 'The one call of a single-use grant', method: 'GET', path: '/hello', grant };
  await play(stage, { ...once, expected: 'permit' });
  return play(stage, {
    ...once,
    title: 'Refused as a replay: the grant was for one call',
    expected: 'grant_used_up',
  });
}

/** What a verifier with nothing but the body and the trust file finds, by code that browsers run too. */
export function verifyOffline(body: string, trust: Trust): Verdict {
  return verifyDenial(noble, body, trust);
}

/** The same body with one bit of it turned over, in the middle of its receipt. */
export function flipOneByte(body: string): string {
  const at = body.indexOf('"payload":"') + 400;
  const letter = body[at] === 'A' ? 'B' : 'A';
  return body.slice(0, at) + letter + body.slice(at + 1);
}

interface Entry {
  readonly actions: readonly string[];
  readonly max_calls?: number;
}

function grantFor(stage: Stage, entry: Entry): Promise<string> {
  const details = { type: 'writ_http', locations: [stage.origin], ...entry };
  return stage.issue({
    sub: AGENT,
    authorization_details: [details],
    seconds: 300,
    intent: 'show what Writ does',
  });
}

interface Script {
  readonly title: string;
  readonly method: string;
  readonly path: string;
  readonly grant: string;
  /** `permit`, or the code of the denial. */
  readonly expected: string;
}

async function play(stage: Stage, { title, method, path, grant, expected }: Script): Promise<Scene> {
  const forward = stage.sidecar.urls.forward;
  if (!forward) throw new Error('the demo needs the forward port: do not set listen.forward to off');
  const url = stage.origin + path;
  const answer = await callThrough(forward, { method, url, grant });
  const told =
    expected === 'permit'
      ? answer.decision.startsWith('permit;')
      : answer.decision.endsWith(`code=${expected}`);
  return { title, method, url, answer, asTold: told };
}
