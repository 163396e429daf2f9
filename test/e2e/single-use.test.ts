/** One use is one use: at once, after a crash, and on every port. */
import t from 'tap';
import { ChildSidecar, serve } from './child-sidecar.ts';
import { Stage } from './denial-rows.ts';
import { assertDenied } from './denied.ts';
import { startOrigin } from './origin.ts';

const TRIES = 100;

t.test('a single-use grant passes exactly once of 100 at once, and never again after kill -9', async (t) => {
  const origin = await startOrigin(t);
  const on = new Stage(await serve(t, { origins: [origin] }), origin);
  const { home } = on.sidecar;
  const grant = on.single;
  const tries = Array.from({ length: TRIES }, (_, i) =>
    i % 2 === 0 ? on.forward({ grant }) : on.reverse({ grant }),
  );
  const replies = await Promise.all(tries);
  t.equal(replies.filter(({ status }) => status === 200).length, 1, 'one passed');
  const refused = replies.filter(({ status }) => status === 403);
  t.equal(refused.length, TRIES - 1);
  const codes = refused.map(({ body }) => (JSON.parse(body) as { code: string }).code);
  t.strictSame([...new Set(codes)], ['grant_used_up']);
  t.equal(origin.seen.length, 1, 'and the origin saw one');
  const permits = home.entries().filter(({ is }) => is['verdict'] === 'permit');
  t.match(permits, [{ is: { grant: { chain: [{ entry: 0, max: 1 }] } } }]);

  t.match(await on.sidecar.kill(), { signal: 'SIGKILL' });
  const again = new Stage(await ChildSidecar.start(t, home), origin);
  assertDenied(t, home, { reply: await again.forward({ grant }), code: 'grant_used_up' });
  assertDenied(t, home, { reply: await again.reverse({ grant }), code: 'grant_used_up' });
  t.match(await again.forward(), { status: 200 }, 'other grants pass');
  t.equal(origin.seen.length, 2);
});

t.test('a use is spent before it is known whether the origin was there', async (t) => {
  const origin = await startOrigin(t);
  const on = new Stage(await serve(t, { origins: [origin] }), origin);
  await origin.close();
  const grant = on.grant({ entry: { max_calls: 2 } });
  t.match(await on.forward({ grant }), { status: 502 });
  t.match(await on.forward({ grant }), { status: 502 });
  assertDenied(t, on.sidecar.home, { reply: await on.forward({ grant }), code: 'grant_used_up' });
});

t.test('a refused call spends nothing', async (t) => {
  const origin = await startOrigin(t);
  const on = new Stage(await serve(t, { origins: [origin] }), origin);
  const grant = on.grant({ entry: { max_calls: 1, paths: ['/a'], actions: ['GET', 'DELETE'] } });
  assertDenied(t, on.sidecar.home, { reply: await on.forward({ grant, path: '/b' }), code: 'scope_path' });
  assertDenied(t, on.sidecar.home, {
    reply: await on.forward({ grant, method: 'DELETE' }),
    code: 'policy_denied',
  });
  t.match(await on.forward({ grant }), { status: 200 });
});
