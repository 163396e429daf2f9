/** What calls are decided by, on a real log: withdrawn trust ends at once, whatever else a reload has to wait for. */
import { writeFileSync } from 'node:fs';
import t from 'tap';
import type { Test } from 'tap';
import { systemClock } from '../../src/config/system.ts';
import { Readiness } from '../../src/console/readiness.ts';
import { toJwk } from '../../src/crypto/key.ts';
import { Leases } from '../../src/gate/lease.ts';
import { pairName } from '../../src/grant/authorities.ts';
import { openLineage } from '../../src/lineage/open.ts';
import { Standing } from '../../src/sidecar/standing.ts';
import { makeHome } from '../e2e/home.ts';
import { authority, stranger } from '../grant/tokens.ts';

const silent = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};
const ISSUERS = ['urn:writ:authority:a', 'urn:writ:authority:b'] as const;

async function stage(t: Test, activateOnly = false) {
  const home = await makeHome(t);
  const settings = home.settings();
  const pin = (...issuers: readonly string[]): void => {
    const pairs = issuers.map((iss) => ({ iss, jwk: toJwk(authority.key) }));
    writeFileSync(settings.grant.authorities, JSON.stringify({ authorities: pairs }));
  };
  pin(...ISSUERS);
  const lineage = await openLineage({ home: home.path, deadlineMs: 5000 });
  const leases = new Leases(systemClock);
  const standing = new Standing({
    ...{ settings, lineage, leases, log: silent, readiness: new Readiness(), activateOnly },
    keys: { receipt: authority.key.id, log: stranger.key.id },
    resolver: () => ({ vet: () => Promise.reject(new Error('nothing is resolved here')) }),
  });
  t.teardown(async () => {
    await standing.close();
    await lineage.close();
  });
  await standing.begin();
  const soon = systemClock.wall() + 60_000;
  const [a, b] = ISSUERS.map((iss) => leases.open(pairName(iss, authority.key), soon));
  return { standing, settings, pin, a, b };
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
  const { standing, pin, a, b } = await stage(t);
  pin('');
  t.match(standing.loadAuthorities(), /authorities\.json: /);
  t.strictSame([a?.ended, b?.ended], ['grant_unknown_key', 'grant_unknown_key']);
});
