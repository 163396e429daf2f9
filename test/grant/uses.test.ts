import t from 'tap';
import type { Coverage } from '../../src/grant/grant.ts';
import { Uses } from '../../src/grant/uses.ts';
import { authority, NOW } from './tokens.ts';

const JTI = '0191b3c4-5d6e-7f80-9a1b-2c3d4e5f6071';
const DAY = 24 * 3600;

function coverage(max_calls?: number, given: { jti?: string; index?: number; exp?: number } = {}): Coverage {
  const { jti = JTI, index = 0, exp = NOW + 600 } = given;
  const entry = {
    locations: ['http://a.test'],
    actions: ['GET'],
    ...(max_calls !== undefined && { max_calls }),
  };
  const root = { iss: 'urn:a', sub: 'a', aud: 'a', jti, iat: NOW, exp, scope: [entry], claims: {} };
  return { grant: { root, key: authority.key, digest: '' }, index, entry, needsBody: false };
}

function permit(link: Record<string, unknown> = {}, expires: unknown = NOW + 600): unknown {
  const chain = [{ jti: JTI, key: authority.key.id, digest: '', entry: 0, max: 1, ...link }];
  return { verdict: 'permit', grant: { chain, iss: 'urn:a', sub: 'a', expires } };
}

const usesAt = (seconds = NOW): Uses => new Uses(() => seconds * 1000);

t.test('a single-use grant passes exactly once of 100 tries at once', async (t) => {
  const uses = usesAt();
  const tries = await Promise.all(Array.from({ length: 100 }, async () => uses.charge(coverage(1))));
  t.equal(tries.filter(({ ok }) => ok).length, 1);
  t.match(tries.at(-1), { ok: false, code: 'grant_used_up' });
});

t.test('uses are counted by key, id and entry, and only where there is a limit', async (t) => {
  const uses = usesAt();
  t.match(uses.charge(coverage(1)), { ok: true });
  t.match(uses.charge(coverage(1, { index: 1 })), { ok: true });
  t.match(uses.charge(coverage(1, { jti: JTI.replace('0', '1') })), { ok: true });
  t.match(uses.charge(coverage(1)), { code: 'grant_used_up' });
  for (let i = 0; i < 10; i++) t.match(uses.charge(coverage()), { ok: true });
  t.equal(uses.size, 3);
});

t.test('recorded permits count, after a restart as before', async (t) => {
  const uses = usesAt();
  uses.replay(permit({ max: 2 }));
  t.match(uses.charge(coverage(2)), { ok: true });
  t.match(uses.charge(coverage(2)), { code: 'grant_used_up' });
});

t.test('what is no counted permit changes nothing', async (t) => {
  const uses = usesAt();
  const counted = permit() as object;
  for (const predicate of [
    { ...counted, verdict: 'deny' },
    permit({ max: undefined }),
    {},
    null,
    'permit',
    { permit: 3 },
  ])
    uses.replay(predicate);
  t.equal(uses.size, 0);
});

t.test('a recorded permit that cannot be counted stops the start', async (t) => {
  const faulty: readonly unknown[] = [
    { verdict: 'permit', grant: null },
    { verdict: 'permit' },
    permit({}, null),
    permit({ entry: undefined }),
    permit({ entry: '0' }),
    permit({ jti: 1 }),
    permit({ key: null }),
  ];
  for (const predicate of faulty) t.throws(() => usesAt().replay(predicate), TypeError);
});

t.test('a clock set back by less than a day gives no spent grant a second life', async (t) => {
  let now = NOW;
  const uses = new Uses(() => now * 1000);
  uses.charge(coverage(1));
  now = NOW + 600 + DAY;
  for (let i = 0; i < 5000; i++) uses.charge(coverage(1, { index: i, exp: now + 600 }));
  now = NOW;
  t.match(uses.charge(coverage(1)), { code: 'grant_used_up' });
});

t.test('memory holds the grants in force and a day more, not all there ever were', async (t) => {
  let now = NOW;
  const uses = new Uses(() => now * 1000);
  for (let i = 0; i < 50_000; i++) {
    now = NOW + i * 60;
    uses.charge(coverage(1, { index: i, exp: now + 60 }));
  }
  t.ok(uses.size < 8192, `${uses.size} counters`);
});
