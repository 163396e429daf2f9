/** The log is the replay store: uses are counted from it, and from nothing else. */
import t from 'tap';
import { Uses } from '../../src/grant/uses.ts';
import { openLineage } from '../../src/lineage/open.ts';
import { draft } from '../../src/lineage/statement.ts';
import { permitEntry } from '../../src/gate/record.ts';
import { recount } from '../../src/sidecar/recount.ts';
import { makeHome } from '../e2e/home.ts';
import { foundAll, ID } from '../gate/found.ts';
import { entry, NOW } from '../grant/tokens.ts';

const wall = (): number => NOW * 1000;

t.test('each permit of a counted grant is one use, over every segment', async (t) => {
  const home = await makeHome(t);
  const lineage = await openLineage({ home: home.path, deadlineMs: 5000, segmentBytes: 1 });
  const counted = foundAll();
  const uncounted = foundAll({ token: ({ payload }) => (payload['authorization_details'] = [entry()]) });
  const denial = { call: { method: 'GET', target: '0' }, evaluated: false, grant: { chain: [{ max: 3 }] }, verdict: 'deny' };
  await lineage.append(permitEntry(counted, []));
  await lineage.append(permitEntry(uncounted, []));
  await lineage.append({ ...draft('decision', ID, denial), receipt: false });
  await lineage.append({ ...draft('policy', ID, { note: '"max":' }), receipt: false });
  await lineage.append(permitEntry(counted, []));
  await lineage.close();

  const uses = new Uses(wall);
  recount(home.path, uses);
  t.equal(uses.size, 1, 'only one grant is counted');
  const { coverage } = counted;
  if (!coverage) throw new Error('the call is covered');
  t.match(uses.charge(coverage), { ok: true }, 'two of three are spent');
  t.match(uses.charge(coverage), { ok: false, code: 'grant_used_up' });
}); // prettier-ignore

t.test('a permit whose use cannot be counted stops the start', async (t) => {
  const home = await makeHome(t);
  const lineage = await openLineage({ home: home.path, deadlineMs: 5000 });
  const grant = { chain: [{ max: 1 }], expires: NOW };
  await lineage.append({ ...draft('decision', ID, { grant, verdict: 'permit' }), receipt: false });
  await lineage.close();
  t.throws(() => recount(home.path, new Uses(wall)), /cannot be counted/);
});
