import { hash } from 'node:crypto';
import t from 'tap';
import { v7 } from 'uuid';
import { grantEntry } from '../../src/authority/entry.ts';
import { authorityRoutes } from '../../src/authority/routes.ts';
import { Authority } from '../../src/authority/service.ts';
import type { IssuedGrant } from '../../src/grant/issue.ts';
import { canonicalJson } from '../../src/crypto/json.ts';
import { entryTexts } from '../../src/lineage/statement.ts';
import { AUD, authority as signer, entry, ISS, makeVerifier, NOW } from '../grant/tokens.ts';

const authority = new Authority({
  ...{ signer, iss: ISS, audience: AUD, maxLifetimeSeconds: 3600 },
  ...{ wall: () => NOW * 1000, uuid: () => v7() },
});
const wish = { sub: 'agent:test', authorization_details: [entry()] };

async function ask(
  body: unknown,
  record: (issued: IssuedGrant) => Promise<void> = async () => {},
): Promise<Response> {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return authorityRoutes({ authority, record }).request('/authority/grants', { method: 'POST', body: text });
}

t.test('a grant is on record before its token leaves', async (t) => {
  const recorded: IssuedGrant[] = [];
  const answer = await ask(
    { ...wish, seconds: 60, intent: 'try' },
    async (issued) => void recorded.push(issued),
  );
  t.equal(answer.status, 201);
  t.equal(answer.headers.get('cache-control'), 'no-store');
  const { token, jti, expires } = (await answer.json()) as { token: string; jti: string; expires: number };
  t.match(recorded, [{ token, grant: { root: { jti, exp: NOW + 60, intent: 'try' } } }]);
  t.equal(expires, NOW + 60);
  t.match(makeVerifier().verify({ from: 'writ-grant', text: token }, NOW * 1000, undefined), { ok: true });
});

t.test('a grant that cannot be recorded is not issued', async (t) => {
  const answer = await ask(wish, async () => Promise.reject(new Error('disk full')));
  t.equal(answer.status, 503);
  t.notMatch(await answer.text(), /eyJ|disk/);
});

const refused: readonly (readonly [name: string, body: unknown, status: number])[] = [
  ['no JSON', 'sub=a', 400],
  ['a member twice', '{"sub":"a","sub":"b","authorization_details":[]}', 400],
  ['no scope', { sub: 'a' }, 400],
  ['an unknown member', { ...wish, admin: true }, 400],
  ['an issuer of its own', { ...wish, iss: 'urn:other' }, 400],
  ['a lifetime of zero', { ...wish, seconds: 0 }, 400],
  ['a longer lifetime than there is', { ...wish, seconds: 3601 }, 422],
  ['an empty scope', { ...wish, authorization_details: [] }, 422],
  ['an entry with a bad origin', { ...wish, authorization_details: [entry({ locations: ['a.test'] })] }, 422],
  ['over 16 KiB', { ...wish, intent: 'a'.repeat(17_000) }, 413],
];

for (const [name, body, status] of refused) {
  t.test(`a request with ${name} is answered ${status}, and nothing is recorded`, async (t) => {
    const answer = await ask(body, async () => void t.fail('recorded'));
    t.equal(answer.status, status);
    t.equal(answer.headers.get('content-type'), 'application/problem+json');
  });
}

t.test('the entry holds no token, and says what was issued', async (t) => {
  const details = [
    entry({ paths: ['/a%20b/**'], locations: ['ws://api.example.com'] }) as Record<string, string>,
  ];
  const issued = authority.issue({ ...wish, authorization_details: details });
  t.ok(issued.ok);
  if (!issued.ok) return;
  const { token, grant } = issued.value;
  const request = grantEntry(v7(), issued.value);
  const text = entryTexts(request, { at: '2027-01-15T08:00:00.000Z', origin: AUD, prev: '', seq: 1 }).join(
    '',
  );
  const statement = JSON.parse(text) as { predicateType: string; predicate: object };
  t.equal(request.receipt, false);
  t.equal(statement.predicateType, 'urn:writ:grant:v1');
  t.match(statement.predicate, {
    ...{
      jti: grant.root.jti,
      key: signer.key.id,
      digest: grant.digest,
      iss: ISS,
      sub: 'agent:test',
      aud: AUD,
    },
    ...{ expires: NOW + 3600, scope: hash('sha256', canonicalJson(details)) },
  });
  t.notOk(text.includes(token.slice(-86)));
});
