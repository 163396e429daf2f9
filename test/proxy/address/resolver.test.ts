import { randomBytes } from 'node:crypto';
import t from 'tap';
import { v7 } from 'uuid';
import type { Call } from '../../../src/call/call.ts';
import { readCall } from '../../../src/call/read.ts';
import { placeRoutes } from '../../../src/call/route.ts';
import { deny, pass } from '../../../src/denial/outcome.ts';
import { parseException, routeException } from '../../../src/proxy/address/exception.ts';
import { boundedLookup, interfaceAddresses } from '../../../src/proxy/address/lookup.ts';
import type { Lookup } from '../../../src/proxy/address/lookup.ts';
import { VettingResolver } from '../../../src/proxy/address/resolver.ts';
import { clock } from '../small-gate.ts';

const turn = (): Promise<void> => new Promise(setImmediate);

function callTo(authority: string): Call {
  const head = {
    method: 'GET',
    target: `http://${authority}/`,
    version: '1.1',
    headers: ['Host', authority],
  };
  const call = readCall(head, { carrier: 'forward', routes: [], id: v7(), salt: randomBytes(16) });
  if (!call.ok) throw new Error(call.detail);
  return call.value;
}

function callThroughRoute(upstream: string): Call {
  const head = { method: 'GET', target: '/', version: '1.1', headers: ['Host', 'sidecar'] };
  const routes = placeRoutes([{ upstream }]);
  const call = readCall(head, { carrier: 'reverse', routes, id: v7(), salt: randomBytes(16) });
  if (!call.ok) throw new Error(call.detail);
  return call.value;
}

interface Given {
  readonly answers?: readonly string[];
  readonly allow?: readonly string[];
  readonly routes?: readonly { host: string; port: number }[];
  readonly own?: readonly number[];
  readonly interfaces?: readonly string[];
}

function resolver({
  answers = [],
  allow = [],
  routes = [],
  own = [],
  interfaces = [],
}: Given): VettingResolver {
  const exceptions = [...allow.flatMap((text) => parseException(text) ?? []), ...routes.map(routeException)];
  return new VettingResolver({
    lookup: () => Promise.resolve(pass(answers)),
    exceptions,
    ownPorts: () => new Set(own),
    interfaces: () => interfaces,
  });
}

t.test('every answer is vetted, in order, and one bad answer denies all', async (t) => {
  const good = await resolver({ answers: ['93.184.216.34', '2606:2800:220:1::1'] }).vet(
    callTo('example.com:8080'),
    'agent',
  );
  t.same(good, {
    ok: true,
    value: [
      { address: '93.184.216.34', family: 4, port: 8080 },
      { address: '2606:2800:220:1::1', family: 6, port: 8080 },
    ],
  });
  for (const answers of [['10.0.0.1'], ['93.184.216.34', '127.0.0.1'], ['fe80::1%eth0'], ['what']])
    t.match(await resolver({ answers }).vet(callTo('example.com'), 'agent'), {
      ok: false,
      code: 'address_forbidden',
    });
  t.match(await resolver({ answers: [] }).vet(callTo('example.com'), 'agent'), {
    ok: false,
    code: 'name_unresolved',
  });
});

t.test('an address as host is vetted without being looked up', async (t) => {
  const parts = { exceptions: [], ownPorts: () => new Set<number>(), interfaces: () => [] };
  const never: Lookup = () => t.fail('looked up') as never;
  const literal = new VettingResolver({ ...parts, lookup: never });
  t.same(await literal.vet(callTo('8.8.8.8'), 'agent'), {
    ok: true,
    value: [{ address: '8.8.8.8', family: 4, port: 80 }],
  });
  t.same(await literal.vet(callTo('[2a00::1]:81'), 'agent'), {
    ok: true,
    value: [{ address: '2a00::1', family: 6, port: 81 }],
  });
  for (const host of [
    '127.0.0.1',
    '[::1]',
    '[::ffff:7f00:1]',
    '[64:ff9b::7f00:1]',
    '169.254.169.254',
    '[fd00:ec2::254]',
  ])
    t.match(await literal.vet(callTo(host), 'agent'), { ok: false, code: 'address_forbidden' }, host);
});

t.test('a failed lookup keeps its code', async (t) => {
  const failing = new VettingResolver({
    lookup: () => Promise.resolve(deny('name_timeout', 'slow.test')),
    exceptions: [],
    ownPorts: () => new Set(),
    interfaces: () => [],
  });
  t.match(await failing.vet(callTo('slow.test'), 'agent'), { ok: false, code: 'name_timeout' });
});

t.test('an exception holds for exactly its addresses and its port', async (t) => {
  const allow = ['10.1.0.0/16:443', '127.0.0.1:8080', '[fd00::/64]:80'];
  const cases: readonly [string, boolean][] = [
    ['10.1.2.3:443', true],
    ['10.1.2.3:444', false],
    ['10.2.0.1:443', false],
    ['127.0.0.1:8080', true],
    ['127.0.0.2:8080', false],
    ['[::ffff:7f00:1]:8080', false],
    ['[fd00::5]', true],
    ['[fd00:0:0:1::5]', false],
  ];
  for (const [authority, ok] of cases)
    t.equal((await resolver({ allow }).vet(callTo(authority), 'agent')).ok, ok, authority);
});

t.test('the sidecar’s own listeners are out of reach, whatever is allowed', async (t) => {
  const given = {
    own: [3128, 15020],
    interfaces: ['192.0.2.7', 'fe80::2%eth0', '2a00::7'],
    allow: [
      '127.0.0.0/8:3128',
      '[::1]:3128',
      '192.0.2.7:15020',
      '[2a00::7]:3128',
      '[::ffff:7f00:1]:3128',
      '0.0.0.0:3128',
      '[::]:3128',
    ],
  };
  const own = [
    '127.0.0.1:3128',
    '127.9.9.9:3128',
    '[::1]:3128',
    '0.0.0.0:3128',
    '[::]:3128',
    '[::ffff:7f00:1]:3128',
    '[::7f00:1]:3128',
    '[64:ff9b::7f00:1]:3128',
    '[2002:7f00:1::]:3128',
    '192.0.2.7:15020',
    '[::ffff:c000:207]:15020',
    '[2a00::7]:3128',
  ];
  for (const authority of own)
    t.match(
      await resolver(given).vet(callTo(authority), 'agent'),
      { ok: false, code: 'address_own' },
      authority,
    );
  const byName = resolver({ ...given, answers: ['127.0.0.1'], routes: [{ host: 'me.test', port: 3128 }] });
  t.match(await byName.vet(callTo('me.test:3128'), 'agent'), { ok: false, code: 'address_own' });
  t.match(await byName.vet(callThroughRoute('http://me.test:3128'), 'agent'), {
    ok: false,
    code: 'address_own',
  });
  t.ok(
    (await resolver({ allow: ['127.0.0.1:3129'], own: [3128] }).vet(callTo('127.0.0.1:3129'), 'agent')).ok,
  );
});

t.test('a reverse route names its own upstream, for calls through the route only', async (t) => {
  const routes = [{ host: 'orders.internal', port: 8080 }];
  const inside = resolver({ answers: ['10.0.0.9'], routes });
  t.ok((await inside.vet(callThroughRoute('http://orders.internal:8080'), 'agent')).ok);
  t.notOk((await inside.vet(callTo('orders.internal:8080'), 'agent')).ok, 'not on the forward port');
  t.notOk(
    (await inside.vet(callThroughRoute('http://orders.internal:8081'), 'agent')).ok,
    'not on another port',
  );
  for (const metadata of ['169.254.169.254', 'fd00:ec2::254', '224.0.0.1', '0.0.0.0', '::ffff:10.0.0.9'])
    t.notOk(
      (
        await resolver({ answers: [metadata], routes }).vet(
          callThroughRoute('http://orders.internal:8080'),
          'agent',
        )
      ).ok,
      metadata,
    );
  const literal = resolver({ routes: [{ host: '127.0.0.1', port: 9 }] });
  t.ok((await literal.vet(callThroughRoute('http://127.0.0.1:9'), 'agent')).ok);
});

t.test('an exception is spelled in one way', (t) => {
  for (const text of ['127.0.0.1:80', '10.0.0.0/8:443', '[::1]:80', '[fd00::/8]:65535'])
    t.ok(parseException(text), text);
  const odd = [
    '127.0.0.1',
    '127.0.0.1:0',
    '127.0.0.1:080',
    '127.0.0.1:65536',
    '::1:80',
    '[127.0.0.1]:80',
    '10.1.0.0/8:80',
    '10.0.0.0/33:80',
    '127.1:80',
    'localhost:80',
    '*:80',
    '127.0.0.1:80 ',
    '[fd00::1/8]:80',
    '[fe80::1%eth0]:80',
    '',
  ];
  for (const text of odd) t.equal(parseException(text), undefined, JSON.stringify(text));
  t.end();
});

t.test('a name that changes its answer is asked once a call', async (t) => {
  const answers = [['93.184.216.34'], ['127.0.0.1']];
  let asked = 0;
  const rebinding = new VettingResolver({
    lookup: () => Promise.resolve(pass(answers[asked++] ?? [])),
    exceptions: [],
    ownPorts: () => new Set(),
    interfaces: () => [],
  });
  t.ok((await rebinding.vet(callTo('rebind.test'), 'agent')).ok);
  t.equal(asked, 1);
  t.notOk((await rebinding.vet(callTo('rebind.test'), 'agent')).ok);
});

t.test('lookups have a deadline, and only a few are asked at a time', async (t) => {
  const asked: string[] = [];
  const answer = new Map<string, (addresses: readonly string[]) => void>();
  const ask = (name: string): Promise<readonly string[]> => {
    asked.push(name);
    return new Promise((resolve) => answer.set(name, resolve));
  };
  const lookup = boundedLookup({ clock, timeoutMs: 50, concurrent: 2, ask });
  const first = ['a', 'b', 'c'].map((name) => lookup(name, `agent of ${name}`));
  await turn();
  t.same(asked, ['a', 'b']);
  const awake = setInterval(() => undefined, 1000); // the clock keeps nobody alive
  t.teardown(() => clearInterval(awake));
  for (const outcome of await Promise.all(first)) t.match(outcome, { ok: false, code: 'name_timeout' });
  t.same(asked, ['a', 'b'], 'a question that outlives its deadline keeps its place');
  answer.get('a')?.([]);
  answer.get('b')?.([]);
  const later = lookup('d', 'agent');
  while (!answer.has('d')) await turn();
  answer.get('d')?.(['1.1.1.1']);
  t.same(await later, { ok: true, value: ['1.1.1.1'] });
  t.same(asked, ['a', 'b', 'd'], 'what nobody waits for any more is not asked');
});

t.test('a name that never answers takes one place, however many calls ask for it', async (t) => {
  const asked: string[] = [];
  const ask = (name: string): Promise<readonly string[]> => {
    asked.push(name);
    return name === 'slow' ? new Promise(() => undefined) : Promise.resolve(['1.1.1.1']);
  };
  const lookup = boundedLookup({ clock, timeoutMs: 60_000, concurrent: 3, ask });
  for (let i = 0; i < 100; i++) void lookup('slow', 'agent');
  t.match(await lookup('other', 'agent'), { ok: true });
  t.same(asked, ['slow', 'other']);
});

t.test('names that never answer take no place from another agent', async (t) => {
  const asked: string[] = [];
  const ask = (name: string): Promise<readonly string[]> => {
    asked.push(name);
    return name.startsWith('slow') ? new Promise(() => undefined) : Promise.resolve(['1.1.1.1']);
  };
  const lookup = boundedLookup({ clock, timeoutMs: 60_000, ask });
  for (let i = 0; i < 10; i++) void lookup(`slow${i}`, 'greedy');
  void lookup('shared', 'greedy');
  t.same(asked, ['slow0', 'slow1']);
  t.match(await lookup('own', 'modest'), { ok: true });
  t.match(await lookup('shared', 'modest'), { ok: true }, 'also where the other one asked for it first');
  t.same(asked, ['slow0', 'slow1', 'own', 'shared']);
});

t.test('nor do two agents together take them all from a third', async (t) => {
  const asked: string[] = [];
  const ask = (name: string): Promise<readonly string[]> => {
    asked.push(name);
    return name.startsWith('slow') ? new Promise(() => undefined) : Promise.resolve(['1.1.1.1']);
  };
  const lookup = boundedLookup({ clock, timeoutMs: 60_000, ask });
  for (const agent of ['a', 'b']) for (let i = 0; i < 10; i++) void lookup(`slow ${agent}${i}`, agent);
  t.same(asked, ['slow a0', 'slow a1', 'slow b0']);
  for (let i = 0; i < 3; i++) t.match(await lookup('own', 'modest'), { ok: true });
});

t.test(
  'calls that come while their name is asked for share the next question, and no older one',
  async (t) => {
    const answers: ((addresses: readonly string[]) => void)[] = [];
    const ask = (): Promise<readonly string[]> => new Promise((resolve) => answers.push(resolve));
    const lookup = boundedLookup({ clock, timeoutMs: 60_000, concurrent: 2, ask });
    const first = lookup('a', 'agent');
    const others = [lookup('a', 'agent'), lookup('a', 'agent')];
    t.equal(answers.length, 1);
    answers[0]?.(['1.1.1.1']);
    t.same(await first, { ok: true, value: ['1.1.1.1'] });
    t.equal(answers.length, 2);
    answers[1]?.(['2.2.2.2']);
    for (const other of await Promise.all(others)) t.same(other, { ok: true, value: ['2.2.2.2'] });
    t.equal(answers.length, 2);
  },
);

t.test('the system’s resolver answers, and knows that some names do not exist', async (t) => {
  const lookup = boundedLookup({ clock, timeoutMs: 20_000 });
  const local = await lookup('localhost', 'agent');
  t.ok(local.ok && local.value.some((address) => address === '127.0.0.1' || address === '::1'));
  t.ok(interfaceAddresses().includes('127.0.0.1'));
});
