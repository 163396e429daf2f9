/** What calls are decided by, on a real log: withdrawn trust ends at once, whatever else a reload has to wait for. */
import { writeFileSync } from 'node:fs';
import t from 'tap';
import type { Test } from 'tap';
import { systemClock } from '../../src/config/system.ts';
import { Readiness } from '../../src/console/readiness.ts';
import { toJwk } from '../../src/crypto/key.ts';
import { Leases } from '../../src/gate/lease.ts';
import { pairName } from '../../src/grant/authorities.ts';
import type { EntryRequest, Recorded } from '../../src/lineage/lineage.ts';
import { openLineage } from '../../src/lineage/open.ts';
import { Standing } from '../../src/sidecar/standing.ts';
import { makeHome } from '../e2e/home.ts';
import { authority, stranger } from '../grant/tokens.ts';
import { usable } from '../policy/bundle-files.ts';

const silent = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};
const ISSUERS = ['urn:writ:authority:a', 'urn:writ:authority:b'] as const;

async function stage(t: Test, { activateOnly = false, maxAge = null as number | null } = {}) {
  const home = await makeHome(t);
  const made = home.settings();
  const settings = { ...made, policy: { ...made.policy, max_age_seconds: maxAge } };
  const pin = (...issuers: readonly string[]): void => {
    const pairs = issuers.map((iss) => ({ iss, jwk: toJwk(authority.key) }));
    writeFileSync(settings.grant.authorities, JSON.stringify({ authorities: pairs }));
  };
  pin(...ISSUERS);
  const lineage = await openLineage({ home: home.path, deadlineMs: 5000 });
  const leases = new Leases(systemClock);
  const readiness = new Readiness();
  const timers: { milliseconds: number; then: () => void }[] = [];
  const after = (milliseconds: number, then: () => void): (() => void) => {
    timers.push({ milliseconds, then });
    return () => void timers.pop();
  };
  const during = { append: (): void => undefined };
  const append = (request: EntryRequest): Promise<Recorded> => {
    const recorded = lineage.append(request);
    during.append();
    return recorded;
  };
  const standing = new Standing({
    ...{
      settings,
      lineage: { append },
      leases,
      log: silent,
      readiness,
      activateOnly,
      clock: { ...systemClock, after },
    },
    keys: { ca: 'ca', receipt: authority.key.id, log: stranger.key.id },
    resolver: () => ({ vet: () => Promise.reject(new Error('nothing is resolved here')) }),
  });
  t.teardown(async () => {
    await standing.close();
    await lineage.close();
  });
  await standing.begin();
  const soon = systemClock.wall() + 60_000;
  const [a, b] = ISSUERS.map((iss) => leases.open(pairName(iss, authority.key), soon));
  return { standing, settings, pin, a, b, lineage, readiness, timers, during };
}

t.test('withdrawn trust ends what runs under it before a reload does anything else', async (t) => {
  const { standing, settings, pin, a, b } = await stage(t);
  pin(ISSUERS[0]);
  const reloading = standing.reload(settings);
  t.equal(b?.ended, 'grant_unknown_key', 'the same key is trusted for another issuer only');
  t.ok(a?.alive);
  t.strictSame(await reloading, []);
  t.ok(a?.alive);
});

t.test('a list that cannot be read ends everything', async (t) => {
  const { standing, settings, readiness, pin, a, b } = await stage(t);
  writeFileSync(settings.grant.authorities, '');
  const reloading = standing.reload(settings);
  t.strictSame([a?.ended, b?.ended], ['grant_unknown_key', 'grant_unknown_key']);
  t.match(await reloading, [/authorities\.json: /]);
  t.match(readiness.report(), { parts: { keys: 'bad' } });
  pin(...ISSUERS);
  t.strictSame(await standing.reload(settings), []);
  t.match(readiness.report(), { parts: { keys: 'good' } });
});

t.test('an authority is trusted once it is on record, not before', async (t) => {
  const { standing, settings, pin, lineage, during } = await stage(t);
  const issuers = (): readonly string[] => standing.authorities.pairs.map(({ iss }) => iss);
  pin(...ISSUERS, 'urn:writ:authority:c');
  const reloading = standing.reload(settings);
  t.strictSame(issuers(), ISSUERS);
  t.strictSame(await reloading, []);
  t.strictSame(issuers(), [...ISSUERS, 'urn:writ:authority:c']);

  const second = Promise.withResolvers<readonly string[]>();
  pin(...ISSUERS);
  during.append = () => {
    during.append = () => undefined;
    pin(...ISSUERS, 'urn:writ:authority:e');
    second.resolve(standing.reload(settings));
  };
  await standing.reload(settings);
  t.strictSame(
    issuers(),
    ISSUERS,
    'what is read while another list is being recorded waits for its own entry',
  );
  await second.promise;
  t.strictSame(issuers(), [...ISSUERS, 'urn:writ:authority:e']);

  pin(...ISSUERS, 'urn:writ:authority:d');
  await lineage.close();
  const wanted = { ...settings, lineage: { ...settings.lineage, path: 'digest' as const } };
  t.match(await standing.reload(wanted), [/not on record, and not in force/]);
  t.strictSame(issuers(), ISSUERS, 'what was withdrawn stays withdrawn, what is new is not trusted');
  t.equal(standing.settings.lineage.path, 'full');
  t.equal(standing.rules.path, 'full');
});

t.test('reloads follow one another, and none brings back what a later one withdrew', async (t) => {
  const { standing, settings, pin } = await stage(t);
  const first = standing.reload({ ...settings, lineage: { ...settings.lineage, path: 'digest' } });
  pin(ISSUERS[1]);
  const second = standing.reload(settings);
  await Promise.all([first, second]);
  t.strictSame(
    standing.authorities.pairs.map(({ iss }) => iss),
    [ISSUERS[1]],
  );
  t.equal(standing.rules.path, 'full', 'the last one asked for is the one in force');
});

t.test('a policy is on record before it decides, and never goes back', async (t) => {
  const { standing, lineage } = await stage(t, { activateOnly: true });
  const bundle = (revision: string) => usable({ answer: JSON.stringify(revision) }, { revision });
  t.equal(await standing.activate(await bundle('1.10'), 'reload'), undefined);
  t.match(await standing.activate(await bundle('1.9'), 'reload'), /1\.9 is older than 1\.10/);
  t.equal(standing.policy.active?.revision, '1.10');
  await lineage.close();
  t.match(await standing.activate(await bundle('1.11'), 'reload'), /could not be put on record/);
  t.equal(standing.policy.active?.revision, '1.10');
});

t.test('a policy past its maximum age closes the gate until a reload confirms it', async (t) => {
  const { standing, settings, readiness, timers } = await stage(t, { maxAge: 60 });
  t.match(readiness.report(), { parts: { policy: 'good' } });
  t.match(timers, [{ milliseconds: 60_000 }]);
  timers[0]?.then();
  t.match(readiness.report(), { parts: { policy: 'bad' } });
  const broken = { ...settings, policy: { ...settings.policy, bundle: '/nowhere' } };
  t.match(await standing.reload(broken), [/is missing/]);
  t.match(readiness.report(), { parts: { policy: 'bad' } }, 'an active policy is not enough');
  t.strictSame(await standing.reload(settings), []);
  t.match(readiness.report(), { parts: { policy: 'good' } });
});
