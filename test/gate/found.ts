/** Findings of a call that went all the way, for tests of what is recorded and answered. */
import type { Findings } from '../../src/gate/findings.ts';
import type { Resolver } from '../../src/gate/outside.ts';
import { readCall } from '../../src/call/read.ts';
import { coverCall } from '../../src/grant/scope.ts';
import { makeHead } from '../call/heads.ts';
import type { HeadParts } from '../call/heads.ts';
import { entry, makeToken, makeVerifier, NOW } from '../grant/tokens.ts';
import type { Recipe } from '../grant/tokens.ts';

/** Not reached by what these findings are for. */
const resolver: Resolver = { vet: () => Promise.reject(new Error('nothing is resolved here')) };

export const ID = '0191b3c4-5d6e-7f80-9a1b-2c3d4e5f6071';
export const SALT = Uint8Array.from({ length: 16 }, (_, i) => i);

const digest = (letter: string): string => letter.repeat(64);

/** What a change may be made to. */
export interface Changes {
  readonly head?: (parts: HeadParts) => void;
  readonly token?: (recipe: Recipe) => void;
  readonly rules?: Partial<Findings['rules']>;
}

/** Findings up to and with the policy's answer. Throws where the call or its grant is refused. */
export function foundAll({ head = () => {}, token = () => {}, rules = {} }: Changes = {}): Findings {
  const text = makeToken((recipe) => {
    recipe.payload['intent'] = 'to read';
    recipe.payload['authorization_details'] = [entry({ max_calls: 3 })];
    token(recipe);
  });
  const raw = makeHead((parts) => {
    parts.headers.push(['Writ-Grant', text]);
    head(parts);
  });
  const call = readCall(raw, { id: ID, salt: SALT, carrier: 'forward' });
  if (!call.ok) throw new Error(call.detail);
  const grant = makeVerifier().verify(call.value.credential, NOW * 1000, undefined);
  if (!grant.ok) throw new Error(grant.detail);
  const coverage = coverCall(grant.value, call.value);
  if (!coverage.ok) throw new Error(coverage.detail);
  return {
    ...{ id: ID, salt: SALT, head: raw, exposed: false },
    rules: { settings: 2, routes: [], origins: new Map(), path: 'full', passthrough: new Set(), boundBytes: 10, spooledBytes: 10, boundMs: 1000, resolver, ...rules },
    ...{ call: call.value, grant: grant.value, coverage: coverage.value },
    evaluation: {
      answer: { ok: true, value: { allow: true, reasons: [], obligations: [] } },
      bundle: {
        ...{ revision: 'r1', entrypoint: 'writ/decision' },
        ...{ wasm: digest('a'), data: digest('b'), digest: digest('c') },
      },
      result: digest('d'),
    },
    replay: { input: digest('e'), now: new Date(NOW * 1000).toISOString() },
  };
} // prettier-ignore
