import t from 'tap';
import { issueGrant } from '../../src/grant/issue.ts';
import type { GrantOrder } from '../../src/grant/issue.ts';
import type { Json } from '../../src/crypto/json.ts';
import { AUD, authority, entry, ISS, makeVerifier, NOW } from './tokens.ts';

const order: GrantOrder = {
  ...{ iss: ISS, sub: 'agent:test', aud: AUD, seconds: 600 },
  authorization_details: [entry({ max_calls: 1 }) as Json],
};
const issuance = { now: NOW * 1000 + 999, jti: '0191b3c4-5d6e-7f80-9a1b-2c3d4e5f6071' };

t.test('what is issued verifies, and says what was ordered', async (t) => {
  const issued = issueGrant(
    authority,
    { ...order, claims: { ticket: 'A-1' }, intent: 'try', delay: 5 },
    issuance,
  );
  t.ok(issued.ok);
  if (!issued.ok) return;
  const { token, grant } = issued.value;
  t.match(grant.root, { iat: NOW, nbf: NOW + 5, exp: NOW + 600, claims: { ticket: 'A-1' }, intent: 'try' });
  const credential = { from: 'writ-grant', text: token } as const;
  t.same(makeVerifier().verify(credential, (NOW + 5) * 1000, undefined), { ok: true, value: grant });
});

t.test('the same order gives the same token: nothing in it is left to chance', async (t) => {
  t.same(issueGrant(authority, order, issuance), issueGrant(authority, order, issuance));
});

const refused: readonly (readonly [name: string, order: Partial<GrantOrder>, code: string])[] = [
  ['no lifetime', { seconds: 0 }, 'grant_claims_invalid'],
  ['half a second', { seconds: 0.5 }, 'grant_claims_invalid'],
  ['no subject', { sub: '' }, 'grant_claims_invalid'],
  ['no scope', { authorization_details: [] }, 'grant_claims_invalid'],
  ['a bad scope', { authorization_details: [entry({ actions: ['get'] }) as Json] }, 'grant_claims_invalid'],
  ['a start after the end', { delay: 600 }, 'grant_claims_invalid'],
  ['a policy that is no digest', { policy: 'latest' }, 'grant_claims_invalid'],
  [
    'more than a token holds',
    { authorization_details: [entry({ paths: [`/${'a'.repeat(8000)}`] }) as Json] },
    'grant_too_large',
  ],
];

for (const [name, change, code] of refused) {
  t.test(`an order with ${name} is refused with ${code}`, async (t) => {
    t.match(issueGrant(authority, { ...order, ...change }, issuance), { ok: false, code });
  });
}
