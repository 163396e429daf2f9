import canonicalize from 'canonicalize';
import * as fc from 'fast-check';
import t from 'tap';
import { canonicalJson } from '../../src/crypto/json.ts';
import type { Json } from '../../src/crypto/json.ts';
import { sha256Hex, sha3Hex } from '../../src/crypto/node.ts';
import { orderedJson } from '../../src/lineage/canonical.ts';
import { findPosition } from '../../src/lineage/position.ts';
import { draft, entryTexts, positionText, refusalText } from '../../src/lineage/statement.ts';

const ID = '00000000-0000-4000-8000-000000000000';
const position = {
  at: '2026-01-02T03:04:05.678Z',
  origin: 'localhost/writ/0123456789abcdef',
  prev: 'ab'.repeat(64),
  seq: 7,
};

/** The statement of formats.md §3, built as an object and canonicalised by the package. */
function wanted(name: string, predicate: object, subject: object): string | undefined {
  const text = canonicalize(subject) ?? '';
  return canonicalize({
    _type: 'https://in-toto.io/Statement/v1',
    subject: [{ name: `urn:uuid:${ID}`, digest: { sha256: sha256Hex(text), sha3_512: sha3Hex(text) } }],
    predicateType: `urn:writ:${name}:v1`,
    predicate,
  });
}

const filled = (predicate: object): string => entryTexts(draft('decision', ID, predicate), position).join('');

t.test('a filled draft is the canonical JSON of its statement', (t) => {
  const call = { path: '/ü\u2028"\\', method: 'GET', content: null };
  const rows: [string, object, object | undefined][] = [
    [
      'members on both sides of entry',
      { verdict: 'deny', call, assurance: { tier: 'jailed' }, reasons: ['a'] },
      call,
    ],
    ['only before', { call }, call],
    ['only after', { verdict: 'permit' }, undefined],
    ['none', {}, undefined],
    ['an absent member', { verdict: 'permit', trace: undefined }, undefined],
    ['unordered members', { z: { b: 1, a: [{ d: true, c: null }] }, a: 2 }, undefined],
    ['integer-like names', { z: { '10': 1, '9': 2 } }, undefined],
  ];
  for (const [name, predicate, subject] of rows) {
    const present = JSON.parse(JSON.stringify(predicate)) as object;
    const entry = { ...present, entry: position };
    t.equal(filled(predicate), wanted('decision', entry, subject ?? present), name);
    t.equal(
      refusalText(ID, predicate),
      wanted('refusal', present, subject ?? present),
      `${name}, as a refusal`,
    );
  }
  t.end();
});

t.test('a draft of what is not canonical JSON throws', (t) => {
  const rows: [string, object][] = [
    ['a float', { a: 1.5 }],
    ['minus zero', { a: -0 }],
    ['an unsafe integer', { a: 2 ** 53 }],
    ['a lone surrogate', { a: '\ud800' }],
    ['a date', { a: new Date(0) }],
    ['undefined inside', { a: { b: undefined } }],
    ['a function', { a: () => 1 }],
    ['a __proto__ member', { a: JSON.parse('{"__proto__":1}') as object }],
    ['an entry of its own', { entry: position }],
    ['depth 70', { a: Array.from({ length: 70 }).reduce<Json>((inner) => [inner], null) }],
  ];
  for (const [name, predicate] of rows) t.throws(() => draft('decision', ID, predicate), TypeError, name);
  t.end();
});

const json: fc.Arbitrary<Json> = fc.letrec<{ value: Json }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.constant(null),
    fc.boolean(),
    fc.maxSafeInteger().map((number) => (Object.is(number, -0) ? 0 : number)),
    fc.string({ unit: 'grapheme' }).filter((text) => text.isWellFormed()),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(
      fc.string({ maxLength: 6 }).filter((name) => name !== '__proto__'),
      tie('value'),
      { maxKeys: 5, noNullPrototype: true },
    ),
  ),
})).value;

t.test('the quick way to canonical JSON gives what the package gives', (t) => {
  fc.assert(fc.property(json, (value) => orderedJson(value) === canonicalize(value)));
  fc.assert(fc.property(json, (value) => orderedJson(value) === canonicalJson(value)));
  t.end();
});

t.test('a position is found in the bytes of its entry, whatever the agent sent', (t) => {
  const hostile = positionText({ ...position, seq: 99 });
  for (const path of [
    '/',
    hostile,
    `"entry":${hostile}`,
    JSON.stringify(`"entry":${hostile}`),
    '"entry":{"at":"',
  ]) {
    const entry = Buffer.from(filled({ call: { path }, verdict: 'deny', why: path }));
    t.strictSame(findPosition(entry), position, JSON.stringify(path).slice(0, 40));
  }
  fc.assert(
    fc.property(fc.string(), (path) => findPosition(Buffer.from(filled({ call: { path } })))?.seq === 7),
  );
  t.end();
});

t.test('an entry without one position, or with an odd one, has none', (t) => {
  const good = filled({ verdict: 'deny' });
  const text = positionText(position);
  const rows: [string, string][] = [
    ['none', good.replace(`"entry":${text},`, '')],
    ['two', good.replace('"verdict"', `"entry":${text},"verdict"`)],
    ['another order', good.replace('"at"', '"ta"')],
    ['a date without milliseconds', good.replace('.678Z', 'Z')],
    ['a short hash', good.replace('ab"', '"')],
    ['a leading zero', good.replace('"seq":7', '"seq":07')],
    ['nothing', ''],
  ];
  for (const [name, entry] of rows) t.equal(findPosition(Buffer.from(entry)), undefined, name);
  t.end();
});
