/** A lease may end at any moment: while the call is decided, and while its permit is being written. */
import t from 'tap';
import { deny } from '../../src/denial/outcome.ts';
import type { DenialCode } from '../../src/denial/table.ts';
import type { Lineage } from '../../src/lineage/lineage.ts';
import { assertDenied } from '../e2e/denied.ts';
import { forwardHead, readReply } from '../e2e/wire.ts';
import { ask, realGate } from './real-gate.ts';
import type { Parts, RealGate } from './real-gate.ts';

const CODE: DenialCode = 'grant_unknown_key';

const call = ({ home, origin }: RealGate, grant = home.grant()): string =>
  forwardHead('GET', `${origin.url}/a`, `Writ-Grant: ${grant}`, 'Connection: close');

/** Trust is withdrawn just before this step answers. */
const withdrawn: readonly (readonly [name: string, instead: (parts: Parts, end: () => void) => Partial<Parts>])[] = [
  ['its policy is asked', ({ policy }, end) => ({
    policy: { active: policy.active, content: [], decide: (text) => policy.decide(text).finally(end) },
  })],
  ['its host is looked up', ({ rules }, end) => ({
    rules: () => ({ ...rules(), resolver: { vet: (...asked) => rules().resolver.vet(...asked).finally(end) } }),
  })],
]; // prettier-ignore

t.test('while it is decided: nothing was let out, and nothing is charged', async (t) => {
  const real = await realGate(t);
  const { home, origin, parts } = real;
  const end = (): void => parts.leases.endWhere(() => true, CODE);
  const grant = home.grant({ entry: { max_calls: 1 } });
  for (const [name, instead] of withdrawn) {
    const port = await real.listen(t, instead(parts, end));
    const reply = readReply(await ask(port, call(real, grant)), true);
    if (!reply) throw new Error(`no answer: ${name}`);
    const { is } = assertDenied(t, home, { reply, code: CODE });
    t.notOk('permit' in is, `while ${name}`);
  }
  t.equal(origin.bytes(), 0);
  t.match(
    await ask(await real.listen(t), call(real, grant)),
    /^HTTP\/1\.1 200 /,
    'its one use is still there',
  );
});

t.test('a call keeps the exceptions it began with, whatever is reloaded meanwhile', async (t) => {
  const real = await realGate(t);
  const { home, policy, rules } = { ...real, ...real.parts };
  let current = rules();
  const withdraw = (): void => {
    current = {
      ...current,
      resolver: { vet: () => Promise.resolve(deny('address_forbidden', 'withdrawn')) },
    };
  };
  const port = await real.listen(t, {
    rules: () => current,
    policy: { active: policy.active, content: [], decide: (text) => policy.decide(text).finally(withdraw) },
  });
  t.match(await ask(port, call(real)), /^HTTP\/1\.1 200 /);
  const reply = readReply(await ask(port, call(real)), true);
  if (!reply) throw new Error('no answer');
  assertDenied(t, home, { reply, code: 'address_forbidden' });
});

t.test('while its permit is written: recorded, charged, and never sent', async (t) => {
  const real = await realGate(t);
  const { home, origin, parts } = real;
  const lineage: Lineage = Object.create(parts.lineage, {
    origin: { value: parts.lineage.origin },
    append: {
      value: (request: Parameters<Lineage['append']>[0]) =>
        parts.lineage.append(request).finally(() => parts.leases.endWhere(() => true, CODE)),
    },
  }) as Lineage; // a lineage, but for one method that does more
  let executed = 0;
  const upstream: Parts['upstream'] = {
    execute: (passage) => {
      executed++;
      return parts.upstream.execute(passage);
    },
  };
  const grant = home.grant({ entry: { max_calls: 1 } });
  const reply = readReply(await ask(await real.listen(t, { lineage, upstream }), call(real, grant)), true);
  if (!reply) throw new Error('no answer');
  const { id, is } = assertDenied(t, home, { reply, code: CODE });
  const permit = home.entries(Number(is['permit']))[0];
  t.match(permit?.is, { verdict: 'permit' });
  t.not(id, permit?.id);
  const outcome = await home.outcome(Number(is['permit']));
  t.match(outcome.is, { ended: 'cut', by: CODE, request: { bytes: 0 }, response: { bytes: 0 } });
  t.notOk('dialled' in outcome.is);
  t.equal(executed, 0, 'the lease was asked again before anything was dialled');
  t.equal(origin.bytes(), 0);

  const again = readReply(await ask(await real.listen(t), call(real, grant)), true);
  if (again) assertDenied(t, home, { reply: again, code: 'grant_used_up' });
  t.ok(again);
});
