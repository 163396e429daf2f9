/** Nobody can fill the disk with denials: above a burst they are signed and counted, far above it nobody answers. */
import t from 'tap';
import { node } from '../../src/crypto/node.ts';
import { verifyDenial } from '../../src/receipt/verify.ts';
import { serve } from './child-sidecar.ts';
import { Stage } from './denial-rows.ts';
import { assertDenied } from './denied.ts';
import type { TestHome } from './home.ts';
import { startOrigin } from './origin.ts';
import { exchangeAll } from './wire.ts';
import type { Reply } from './wire.ts';

const BURST = 100;
const STRANGERS = 150;

const isRecorded = ({ body }: Reply): boolean => (JSON.parse(body) as { proof: unknown }).proof !== null;

/** All counts of denials that were not recorded one by one, summed over the log's `refusals` entries. */
function counted(home: TestHome): Readonly<Record<string, number>> {
  const sums: Record<string, number> = {};
  for (const { type, is } of home.entries()) {
    if (type !== 'refusals') continue;
    const counts = is['counts'] as Readonly<Record<string, number>>; // an entry of our own log
    for (const [code, count] of Object.entries(counts)) sums[code] = (sums[code] ?? 0) + count;
  }
  return sums;
}

t.test('a burst of strangers', async (t) => {
  const origin = await startOrigin(t);
  const settings = { denial: { recorded_burst: BURST, recorded_per_second: 1 } };
  const on = new Stage(await serve(t, { origins: [origin], settings }), origin);
  const { home } = on.sidecar;
  const began = performance.now();
  const replies = await Promise.all(Array.from({ length: STRANGERS }, () => on.forward({ grant: undefined })));
  const seconds = (performance.now() - began) / 1000;

  const recorded = replies.filter(isRecorded);
  const others = replies.filter((reply) => !isRecorded(reply));
  t.ok(recorded.length >= BURST, 'the burst is recorded');
  t.ok(recorded.length <= BURST + Math.ceil(seconds), 'and what the rate adds to it, but not more');
  t.equal(home.entries().filter(({ is }) => is['verdict'] === 'deny').length, recorded.length);
  const code = 'grant_missing';
  for (const reply of recorded.slice(-1)) assertDenied(t, home, { reply, code });
  for (const reply of others.slice(-1)) assertDenied(t, home, { reply, code, unrecorded: 'aggregated' });
  for (const { body, status } of others) {
    t.equal(status, 403);
    const { authentic, untampered } = verifyDenial(node, body, home.trust());
    t.ok(authentic.proven && untampered.proven, 'signed all the same');
  }

  const reply = await on.forward({ method: 'PATCH' });
  assertDenied(t, home, { reply, code: 'scope_action' });
  t.match(await on.forward(), { status: 200 }, 'a holder has a burst of its own, and permits are always recorded');

  t.match(await on.sidecar.stop(), { code: 0 });
  t.strictSame(counted(home), { grant_missing: others.length }, 'the rest is on record as a number');
}); // prettier-ignore

t.test('a holder that floods', async (t) => {
  const origin = await startOrigin(t);
  const settings = { denial: { recorded_burst: 2, recorded_per_second: 1 } };
  const on = new Stage(await serve(t, { origins: [origin], settings }), origin);
  const { home } = on.sidecar;
  const replies = await Promise.all(Array.from({ length: 20 }, () => on.forward({ method: 'PATCH' })));
  const others = replies.filter((reply) => !isRecorded(reply));
  t.ok(others.length > 0 && others.length <= 18);
  const other = home.grant({ sub: 'agent:other' });
  assertDenied(t, home, { reply: await on.forward({ method: 'PATCH', grant: other }), code: 'scope_action' });
  assertDenied(t, home, { reply: await on.forward({ grant: undefined }), code: 'grant_missing' });
  t.match(await on.sidecar.stop(), { code: 0 });
  t.strictSame(counted(home), { scope_action: others.length });
});

t.test('far above the burst connections just close', async (t) => {
  const origin = await startOrigin(t);
  const settings = { denial: { recorded_burst: 1, recorded_per_second: 1 } };
  const on = new Stage(await serve(t, { origins: [origin], settings }), origin);
  const { home } = on.sidecar;
  const port = on.sidecar.port('forward');
  const tries = 60;
  const answers = await Promise.all(
    Array.from({ length: tries }, () => exchangeAll(port, on.bytes({ grant: undefined }), 1)),
  );
  const replies = answers.flat();
  t.ok(replies.length < tries, 'some were not answered');
  t.ok(replies.every(({ status }) => status === 403));
  t.match(await on.forward(), { status: 200 }, 'a holder is served all the same');
  t.match(await on.sidecar.stop(), { code: 0 });
  const recorded = replies.filter(isRecorded).length;
  t.strictSame(counted(home), { grant_missing: tries - recorded }, 'and everything was counted');
});

t.test('bytes that are not HTTP are counted', async (t) => {
  const origin = await startOrigin(t);
  const on = new Stage(await serve(t, { origins: [origin] }), origin);
  const port = on.sidecar.port('forward');
  const bad = ['GET / HTTP/1.1\r\nBad Header: x\r\n\r\n', 'SSH-2.0-x\r\n\r\n', `GET / HTTP/1.1\r\nA: ${'a'.repeat(20_000)}\r\n\r\n`];
  const statuses: number[] = [];
  for (const bytes of bad) statuses.push(...(await exchangeAll(port, bytes, 1)).map(({ status }) => status));
  t.strictSame(statuses, [400, 400, 431]);
  t.match(await on.sidecar.stop(), { code: 0 });
  t.strictSame(counted(on.sidecar.home), { malformed_400: 2, malformed_431: 1 });
  t.equal(origin.bytes(), 0);
}); // prettier-ignore
