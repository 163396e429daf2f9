/** Fail closed, by trying: each part of a real gate breaks once, and nothing gets through. */
import t from 'tap';
import { LineageUnavailable } from '../../src/lineage/lineage.ts';
import type { CallHandler } from '../../src/proxy/agent/call-handler.ts';
import { assertDenied } from '../e2e/denied.ts';
import { forwardHead, readReply } from '../e2e/wire.ts';
import { ask, realGate } from './real-gate.ts';
import type { Parts, RealGate } from './real-gate.ts';

const broken = (): never => {
  throw new Error('broken on purpose');
};
const rejects = (): Promise<never> => Promise.reject(new Error('broken on purpose'));
const unavailable = (): Promise<never> => Promise.reject(new LineageUnavailable('gone on purpose'));

/** The same object, but for one member. */
function but<T extends object>(whole: T, name: keyof T, instead: () => unknown): T {
  return new Proxy(whole, {
    get(target, member) {
      if (member === name) return instead;
      const value: unknown = Reflect.get(target, member, target);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}

/** The same object, but that reading one member throws. */
function butReading<T extends object>(whole: T, name: keyof T): T {
  return new Proxy(whole, {
    get: (target, member) => (member === name ? broken() : (Reflect.get(target, member, target) as unknown)),
  });
}

/** The same rules, but that their resolver does this. */
function vetting({ rules }: Parts, instead: () => unknown): Parts['rules'] {
  return () => ({ ...rules(), resolver: but(rules().resolver, 'vet', instead) });
}

type Break = (parts: Parts) => Partial<Parts>;

/** Breaks before the permit. Both a throw and a rejection count, wherever the gate waits. */
const before: readonly (readonly [name: string, instead: Break])[] = [
  ['clock.wall', (parts) => ({ clock: but(parts.clock, 'wall', broken) })],
  ['verifier.verify', (parts) => ({ verifier: but(parts.verifier, 'verify', broken) })],
  ['policy.active', (parts) => ({ policy: butReading(parts.policy, 'active') })],
  ['leases.open', (parts) => ({ leases: but(parts.leases, 'open', broken) })],
  ['policy.decide throws', (parts) => ({ policy: but(parts.policy, 'decide', broken) })],
  ['policy.decide rejects', (parts) => ({ policy: but(parts.policy, 'decide', rejects) })],
  ['trust', () => ({ trust: broken })],
  ['resolver.vet throws', (parts) => ({ rules: vetting(parts, broken) })],
  ['resolver.vet rejects', (parts) => ({ rules: vetting(parts, rejects) })],
  ['uses.charge', (parts) => ({ uses: but(parts.uses, 'charge', broken) })],
  ['lineage.append throws', (parts) => ({ lineage: but(parts.lineage, 'append', broken) })],
  ['lineage.append rejects', (parts) => ({ lineage: but(parts.lineage, 'append', rejects) })],
]; // prettier-ignore

/** Breaks where not even a denial can be made: the connection closes. */
const hopeless: readonly (readonly [name: string, instead: Break])[] = [
  ['policy.decide gives nonsense', (parts) => ({ policy: but(parts.policy, 'decide', () => Promise.resolve({})) })],
  ['clock.monotonic', (parts) => ({ clock: but(parts.clock, 'monotonic', broken) })],
  ['rules', () => ({ rules: broken })],
  ['fresh', () => ({ fresh: broken })],
  ['exposed', () => ({ exposed: broken })],
  ['trust, and refuser.refuse throws', (parts) => ({ trust: broken, refuser: but(parts.refuser, 'refuse', broken) })],
  ['trust, and refuser.refuse rejects', (parts) => ({ trust: broken, refuser: but(parts.refuser, 'refuse', rejects) })],
]; // prettier-ignore

const call = ({ home, origin }: RealGate, lines: readonly string[] = []): string =>
  forwardHead('GET', `${origin.url}/a`, `Writ-Grant: ${home.grant()}`, 'Connection: close', ...lines);

t.test('the real gate lets the call out', async (t) => {
  const real = await realGate(t);
  t.match(await ask(await real.listen(t), call(real)), /^HTTP\/1\.1 200 /);
  t.equal(real.origin.seen.length, 1);
});

t.test('with one broken part', async (t) => {
  const real = await realGate(t);
  const { home, origin, parts } = real;
  for (const [name, instead] of before) {
    await t.test(`${name} denies`, async (t) => {
      const port = await real.listen(t, instead(parts));
      const reply = readReply(await ask(port, call(real)), true);
      if (reply) assertDenied(t, home, { reply, code: 'internal_error' });
      t.ok(reply, 'an answer came');
    });
  }
  for (const [name, instead] of hopeless) {
    const port = await real.listen(t, instead(parts));
    t.equal(await ask(port, call(real)), '', `${name} closes the connection`);
  }
  t.equal(origin.bytes(), 0, 'not one byte reached the origin');
  t.equal(parts.leases.size, 0, 'no lease is left open');
  t.match(await ask(await real.listen(t), call(real)), /^HTTP\/1\.1 200 /, 'whole again, it passes');
});

t.test('a log that cannot record denies by its own code', async (t) => {
  const real = await realGate(t);
  const { home, origin, parts } = real;
  for (const instead of [unavailable, () => Promise.resolve().then(unavailable)]) {
    const port = await real.listen(t, { lineage: but(parts.lineage, 'append', instead) });
    const reply = readReply(await ask(port, call(real)), true);
    if (reply) assertDenied(t, home, { reply, code: 'log_unavailable' });
    t.ok(reply);
  }
  t.equal(origin.bytes(), 0);
});

t.test('a body that cannot be read denies', async (t) => {
  const real = await realGate(t);
  const { home, origin } = real;
  const around = (gate: CallHandler): CallHandler => ({
    run: (arrival) => gate.run({ ...arrival, exchange: but(arrival.exchange, 'readBody', rejects) }),
  });
  const port = await real.listen(t, {}, around);
  const grant = home.grant({ entry: { content_sha256: '0'.repeat(64) } });
  const head = forwardHead('PUT', `${origin.url}/a`, `Writ-Grant: ${grant}`, 'Content-Length: 4', 'Connection: close');
  const reply = readReply(await ask(port, `${head}body`), true);
  if (reply) assertDenied(t, home, { reply, code: 'internal_error' });
  t.ok(reply);
  t.equal(origin.bytes(), 0);
}); // prettier-ignore

t.test('after the permit', async (t) => {
  const real = await realGate(t);
  const { home, origin, parts } = real;
  for (const [name, instead] of [
    ['upstream.execute throws', broken],
    ['upstream.execute rejects', rejects],
  ] as const) {
    await t.test(name, async (t) => {
      const port = await real.listen(t, { upstream: but(parts.upstream, 'execute', instead) });
      const reply = readReply(await ask(port, call(real)), true);
      if (!reply) throw new Error('no answer came');
      const { id, is } = assertDenied(t, home, { reply, code: 'internal_error' });
      const permit = home.entries(Number(is['permit']))[0];
      t.match(permit, { is: { verdict: 'permit' } }, 'the denial names the permit');
      t.not(id, permit?.id, 'and has an id of its own');
      t.equal(parts.leases.size, 0);
    });
  }
  t.equal(origin.bytes(), 0);
  const open = home.entries().filter(({ type }) => type === 'outcome');
  t.strictSame(open, [], 'what was sent is not known, so nothing is said of it');
});

t.test('observers decide nothing', async (t) => {
  const real = await realGate(t);
  const { home, origin, parts } = real;
  const finished = but(parts.observer, 'finished', broken);
  const answer = await ask(await real.listen(t, { observer: finished }), call(real));
  t.match(answer, /^HTTP\/1\.1 200 /);
  await home.entry(({ type }) => type === 'outcome');
  t.equal(origin.seen.length, 1);

  const decided = but(parts.observer, 'decided', broken);
  const bytes = origin.bytes();
  t.notMatch(await ask(await real.listen(t, { observer: decided }), call(real)), /^HTTP\/1\.1 200 /);
  t.equal(origin.bytes(), bytes, 'a call that cannot be shown to the operator is not let out');
});
