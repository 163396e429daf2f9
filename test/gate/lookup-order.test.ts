/** A name is looked up only for a call that grant and policy let pass (threats.md §3): the query itself tells the outside. */
import t from 'tap';
import { deny, pass } from '../../src/denial/outcome.ts';
import { forwardHead, readReply } from '../e2e/wire.ts';
import type { Evaluation } from '../../src/policy/decision.ts';
import { ask, realGate } from './real-gate.ts';
import type { Parts } from './real-gate.ts';

/** What a tunnel that is opened is not asked for, but each call inside. */
const INSIDE = ['policy_denied', 'grant_used_up'];

/** The step that each part stands for, by the method that takes it. */
const STEPS: Readonly<Record<string, string>> = {
  ...{ verifier: 'verify', policy: 'decide', resolver: 'vet', lineage: 'append' },
};

/** The same part, whose step is noted whenever it is taken. */
function noting<T extends object>(part: T, step: string | undefined, took: string[]): T {
  return new Proxy(part, {
    get(target, member) {
      const value: unknown = Reflect.get(target, member, target);
      if (typeof value !== 'function') return value;
      if (member === step) took.push(step);
      return value.bind(target) as unknown;
    },
  });
}

t.test('a call is verified, decided, looked up, recorded and only then sent', async (t) => {
  const took: string[] = [];
  const { home, origin, listen } = await realGate(t, {
    wire: (name, part) => (typeof part === 'function' ? part : noting(part, STEPS[name], took)),
    onReached: () => took.push('reached'),
  });
  const line = `Writ-Grant: ${home.grant()}`;
  const reply = await ask(await listen(t), forwardHead('GET', `${origin.url}/a`, line, 'Connection: close'));
  t.match(readReply(reply, true), { status: 200 });
  t.strictSame(took, ['verify', 'decide', 'vet', 'append', 'reached', 'append']);
});

t.test('for a refused call nothing is looked up', async (t) => {
  const took: string[] = [];
  const { home, origin, parts, listen } = await realGate(t, {
    wire: (name, part) => (name === 'resolver' ? noting(part, 'vet', took) : part),
  });
  const grant = `Writ-Grant: ${home.grant()}`;
  const other = home.grant({ entry: { locations: ['http://elsewhere.test'] } });
  const spent = home.grant({ entry: { max_calls: 1 } });
  const once = forwardHead('GET', `${origin.url}/once`, `Writ-Grant: ${spent}`, 'Connection: close');
  t.match(await ask(await listen(t), once), /^HTTP\/1\.1 200 /);
  took.length = 0;
  const { policy: real } = parts;
  const decide = async (input: string): Promise<Evaluation | undefined> => {
    const evaluation = await real.decide(input);
    return evaluation && { ...evaluation, answer: pass({ allow: false, reasons: [], obligations: [] }) };
  };
  const policy: Parts['policy'] = {
    decide,
    get active() {
      return real.active;
    },
    get content() {
      return real.content;
    },
  };
  const rows: readonly (readonly [string, readonly string[], Partial<Parts>])[] = [
    ['grant_missing', [], {}],
    ['grant_malformed', ['Writ-Grant: none'], {}],
    ['scope_location', [`Writ-Grant: ${other}`], {}],
    ['policy_denied', [grant], { policy }],
    ['grant_used_up', [`Writ-Grant: ${spent}`], {}],
    ['authorities_unreadable', [grant], { trust: () => deny('authorities_unreadable', 'on purpose') }],
  ];
  for (const [code, lines, instead] of rows) {
    const port = await listen(t, instead);
    const call = forwardHead('GET', `${origin.url}/a`, ...lines, 'Connection: close');
    t.match(await ask(port, call), `"code":"${code}"`, code);
    const authority = `127.0.0.1:${origin.port}`;
    const tunnel = [`CONNECT ${authority} HTTP/1.1`, `Host: ${authority}`, ...lines, '', ''].join('\r\n');
    if (!INSIDE.includes(code)) t.match(await ask(port, tunnel), `"code":"${code}"`, `${code}, as a tunnel`);
    t.strictSame(took, [], code);
  }
  t.equal(origin.seen.length, 1, 'the one that spent a grant');
});
