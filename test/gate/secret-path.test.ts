/** Where `lineage.path` is `digest`, paths may hold secrets: they are told to nobody but policy and upstream. */
import t from 'tap';
import { serve } from '../e2e/child-sidecar.ts';
import { Stage } from '../e2e/denial-rows.ts';
import { echo, startOrigin } from '../e2e/origin.ts';

const SECRET = 'bot123-secret';

t.test('neither the lineage nor the operator’s log hears of them', async (t) => {
  const origin = await startOrigin(t, echo);
  const on = new Stage(
    await serve(t, { origins: [origin], settings: { lineage: { path: 'digest' } } }),
    origin,
  );
  const path = `/${SECRET}/send`;
  t.match(await on.forward({ path }), { status: 200 });
  for (const fault of [
    { grant: undefined },
    { method: 'PATCH' },
    { grant: on.grant({ entry: { paths: ['/b'] } }) },
    { grant: on.grant({ entry: { locations: ['http://elsewhere.test'] } }) },
  ])
    t.match(await on.forward({ path, ...fault }), { status: 403 });
  t.match(await on.sidecar.stop(), { code: 0 });
  t.equal(on.sidecar.lines.filter(({ msg }) => msg === 'denied').length, 4);
  t.notMatch(JSON.stringify(on.sidecar.lines), SECRET);
  t.notMatch(JSON.stringify(on.sidecar.home.entries()), SECRET);
});
