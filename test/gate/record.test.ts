/** What goes on record of a call: canonical, complete, and nothing that its agent may not read. */
import canonicalize from 'canonicalize';
import t from 'tap';
import { sha256Hex, sha3Hex } from '../../src/crypto/node.ts';
import { decisionPredicate } from '../../src/gate/findings.ts';
import type { Findings } from '../../src/gate/findings.ts';
import { neverSent, outcomeEntry, permitEntry } from '../../src/gate/record.ts';
import type { EntryRequest } from '../../src/lineage/lineage.ts';
import { entryTexts } from '../../src/lineage/statement.ts';
import type { DecisionPredicate, Members } from '../../src/lineage/statement.ts';
import { AUD } from '../grant/tokens.ts';
import { foundAll, ID, SALT } from './found.ts';
import type { Changes } from './found.ts';

const position = { at: '2027-01-15T08:00:00.000Z', origin: AUD, prev: '0'.repeat(128), seq: 7 };
const addresses = [
  { address: '93.184.216.34', family: 4, port: 80 },
  { address: '2606:2800:220:1::1', family: 6, port: 80 },
] as const;

/** The statement as the writer joins it. */
const statementOf = (entry: EntryRequest): string => entryTexts(entry, position).join('');

const recorded = (found: Findings): Members<DecisionPredicate> =>
  decisionPredicate(found, { verdict: 'permit', reasons: [] });

const MAX_BYTES = 16 * 1024;

const cases: readonly (readonly [name: string, changes: Changes])[] = [
  ['a plain call', {}],
  ['a path that is recorded as digest', { rules: { path: 'digest' } }],
  ['no query', { head: (parts) => void (parts.tail = '') }],
  ['no intent', { token: ({ payload }) => void delete payload['intent'] }],
  ['an odd intent', { token: ({ payload }) => (payload['intent'] = '"\\\u0000\u2028é☃😀') }],
  ['octets in headers', { head: (parts) => void parts.headers.push(['X-A', '\u00e9\u00ff']) }],
];

t.test('a permit is canonical JSON, whatever the call', (t) => {
  for (const [name, changes] of cases) {
    const found = foundAll(changes);
    const text = statementOf(permitEntry(found, addresses));
    t.equal(canonicalize(JSON.parse(text)), text, name);
    t.match(JSON.parse(text), {
      predicateType: 'urn:writ:decision:v1',
      predicate: {
        ...JSON.parse(JSON.stringify(recorded(found))),
        entry: position,
        addresses: ['93.184.216.34:80', '[2606:2800:220:1::1]:80'],
      },
    });
  }
  t.end();
});

t.test('its subject is the call', (t) => {
  const text = statementOf(permitEntry(foundAll(), addresses));
  const { predicate, subject } = JSON.parse(text) as { predicate: { call: object }; subject: unknown };
  const call = canonicalize(predicate.call) ?? '';
  const digest = { sha256: sha256Hex(call), sha3_512: sha3Hex(call) };
  t.strictSame(subject, [{ name: `urn:uuid:${ID}`, digest }]);
  t.end();
});

t.test('an outcome is canonical JSON, and says what is known', (t) => {
  const ended = { ...neverSent('lease_expired'), duration_ms: 1.6 };
  const text = statementOf(outcomeEntry(ID, 3, ended));
  t.equal(canonicalize(JSON.parse(text)), text);
  const nothing = { bytes: 0, sha256: sha256Hex(''), sha3_512: sha3Hex('') };
  t.strictSame((JSON.parse(text) as { predicate: object }).predicate, {
    ...{ by: 'lease_expired', duration_ms: 2, ended: 'cut', entry: position, permit: 3 },
    ...{ request: nothing, response: nothing },
  });
  t.end();
});

t.test('no secret enters, not even into a digest', (t) => {
  const secrets: [name: string, value: string][] = [
    ['Authorization', 'Bearer sk-secret-one'],
    ['Cookie', 'session=secret-two'],
  ];
  const others: [name: string, value: string][] = [
    ['Authorization', 'Bearer sk-another'],
    ['Cookie', 'session=another'],
  ];
  const texts = [secrets, others].map((headers) =>
    statementOf(permitEntry(foundAll({ head: (parts) => void parts.headers.push(...headers) }), addresses)),
  );
  t.notMatch(texts[0], /secret/);
  t.equal(texts[0], texts[1], 'two secrets leave the same record');
  const third = foundAll({ head: (parts) => void parts.headers.push(['Authorization', 'Basic c2VjcmV0']) });
  t.not(statementOf(permitEntry(third, addresses)), texts[0], 'but their presence and scheme show');
  t.notMatch(statementOf(permitEntry(third, addresses)), /eyJ/, 'nor does the grant itself');
  t.end();
});

t.test('what can be guessed is hidden by the salt', (t) => {
  const found = foundAll({ head: (parts) => void (parts.tail = '?pin=1234') });
  const { call } = recorded(found);
  t.match(call, { query: sha256Hex(Buffer.concat([SALT, Buffer.from('pin=1234')])) });
  t.notMatch(JSON.stringify(call), 'pin');
  const digest = recorded(foundAll({ rules: { path: 'digest' } }));
  t.match(digest.call, { path: sha256Hex(Buffer.concat([SALT, Buffer.from('/a/b')])) });
  const { call: _unread, grant: _unverified, coverage: _uncovered, evaluation: _none, ...rest } = found;
  const unparsed: Findings = { ...rest, head: { ...found.head, method: 'get it', target: 'é' } };
  t.strictSame(recorded(unparsed).call, {
    method: 'invalid',
    target: sha256Hex(Buffer.concat([SALT, Buffer.from('é', 'latin1')])),
  });
  t.equal(recorded(unparsed).grant, null);
  t.equal(recorded(unparsed).evaluated, false);
  t.end();
});

t.test('the longest call stays within its 16 KiB, by digests', (t) => {
  const long: Changes = {
    head: (parts) => void (parts.path = `/${'a'.repeat(8100)}`),
    token: ({ payload }) => {
      payload['intent'] = '\u0001'.repeat(700);
      payload['iss'] = 'urn:writ:authority:test';
      payload['sub'] = '"'.repeat(256);
    },
  };
  const text = statementOf(permitEntry(foundAll(long), addresses));
  t.ok(Buffer.byteLength(text) < MAX_BYTES, `${Buffer.byteLength(text)} bytes`);
  t.match(JSON.parse(text), { predicate: { call: { path: /^[0-9a-f]{64}$/ }, grant: { intent: /^[0-9a-f]{64}$/ } } });
  t.equal(canonicalize(JSON.parse(text)), text);

  const fits: Changes = { head: (parts) => void (parts.path = `/${'a'.repeat(8100)}`) };
  const whole = statementOf(permitEntry(foundAll(fits), addresses));
  t.ok(Buffer.byteLength(whole) < MAX_BYTES);
  t.match(JSON.parse(whole), { predicate: { call: { path: /^\/aaa/ }, grant: { intent: 'to read' } } });
  t.end();
}); // prettier-ignore
