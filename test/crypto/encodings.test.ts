import canonicalize from 'canonicalize';
import * as fc from 'fast-check';
import t from 'tap';
import { fromBase64, fromBase64url, toBase64, toBase64url } from '../../src/crypto/base64.ts';
import { concatBytes, decodeUtf8, encodeUtf8, equalBytes, fromHex, toHex } from '../../src/crypto/bytes.ts';
import { faultInText } from '../../src/crypto/json-text.ts';
import { canonicalJson, isJsonObject, parseStrictJson } from '../../src/crypto/json.ts';
import type { Json } from '../../src/crypto/json.ts';

const anyBytes = fc.uint8Array({ maxLength: 80 });

t.test('base64 is Node’s, and every value has one spelling', (t) => {
  fc.assert(fc.property(anyBytes, (bytes) => toBase64(bytes) === Buffer.from(bytes).toString('base64')));
  fc.assert(
    fc.property(anyBytes, (bytes) => toBase64url(bytes) === Buffer.from(bytes).toString('base64url')),
  );
  fc.assert(
    fc.property(anyBytes, (bytes) =>
      equalBytes(fromBase64(toBase64(bytes)) ?? Uint8Array.of(1, 2, 3), bytes),
    ),
  );
  const text = fc.stringMatching(/^[A-Za-z0-9+/=_ -]{0,12}$/);
  fc.assert(fc.property(text, (given) => [undefined, given].includes(mapped(fromBase64(given), toBase64))));
  fc.assert(
    fc.property(text, (given) => [undefined, given].includes(mapped(fromBase64url(given), toBase64url))),
  );
  for (const bad of ['A', 'AA', 'AA=', 'AA==\n', 'AB==', 'A===', '====', 'AA==AA==', 'é==='])
    t.equal(fromBase64(bad), undefined, JSON.stringify(bad));
  for (const bad of ['A', 'AA==', 'AB', 'A+', 'AA '])
    t.equal(fromBase64url(bad), undefined, JSON.stringify(bad));
  t.end();
});

function mapped(bytes: Uint8Array | undefined, encode: (bytes: Uint8Array) => string): string | undefined {
  return bytes && encode(bytes);
}

t.test('hex is lower-case, UTF-8 is strict', (t) => {
  fc.assert(fc.property(anyBytes, (bytes) => equalBytes(fromHex(toHex(bytes)) ?? Uint8Array.of(9), bytes)));
  for (const bad of ['0', 'AB', '0x', ' 00', 'gg']) t.equal(fromHex(bad), undefined, bad);
  t.equal(decodeUtf8(Uint8Array.of(0xc0, 0x80)), undefined, 'an overlong NUL');
  t.equal(decodeUtf8(Uint8Array.of(0xed, 0xa0, 0x80)), undefined, 'a surrogate');
  t.equal(decodeUtf8(Uint8Array.of(0xef, 0xbb, 0xbf, 0x41)), '\ufeffA', 'a byte-order mark is kept');
  fc.assert(fc.property(anyBytes, (bytes) => {
    const text = decodeUtf8(bytes);
    return text === undefined || equalBytes(encodeUtf8(text), bytes);
  })); // prettier-ignore
  t.strictSame([...concatBytes(Uint8Array.of(1), new Uint8Array(0), Uint8Array.of(2, 3))], [1, 2, 3]);
  t.end();
});

t.test('strict JSON refuses whatever two parsers may read differently', (t) => {
  const rows: [string, string][] = [
    ['a member twice', '{"a":1,"a":2}'],
    ['a member twice, once escaped', '{"a":1,"\\u0061":2}'],
    ['a member twice, deep inside', '[{"x":{"b":1,"c":[],"b":2}}]'],
    ['a float', '1.5'],
    ['an exponent that is a float', '1e-1'],
    ['an unsafe integer', '9007199254740993'],
    ['minus zero', '-0'],
    ['a lone surrogate', '"\\ud800"'],
    ['a lone surrogate as a name', '{"\\udc00":1}'],
    ['__proto__', '{"__proto__":{}}'],
    ['depth 65', `${'['.repeat(66)}${']'.repeat(66)}`],
    ['a trailing comma', '[1,]'],
    ['a comment', '/**/1'],
    ['a byte-order mark', '\ufeff1'],
    ['two values', '1 2'],
    ['nothing', ''],
  ];
  for (const [name, text] of rows) t.equal(parseStrictJson(text), undefined, name);
  t.strictSame(parseStrictJson('{"a":[1,{"a":"}{\\"a\\":"}],"b":null}'), {
    a: [1, { a: '}{"a":' }],
    b: null,
  });
  t.ok(isJsonObject(parseStrictJson('{}')));
  t.notOk(isJsonObject(parseStrictJson('[]')));
  t.end();
});

t.test('duplicate members are found in any text, and only they', (t) => {
  const object = fc.dictionary(fc.string(), fc.jsonValue(), { noNullPrototype: true });
  fc.assert(fc.property(object, (value) => faultInText(JSON.stringify(value)) !== 'a member twice'));
  fc.assert(
    fc.property(object, fc.string(), (value, name) => {
      const text = JSON.stringify({ ...value, [name]: 1 });
      return faultInText(`${text.slice(0, -1)},${JSON.stringify(name)}:2}`) === 'a member twice';
    }),
  );
  t.end();
});

t.test('half a pair is found however it is written, and only it', (t) => {
  const units = fc.array(fc.constantFrom('\\ud83d', '\\uD83D', '\\ude00', '\\uDE00', '\\\\', '\\\\ud83d', 'ud83d', '\\"', 'x', '\\u0041'));
  fc.assert(
    fc.property(units, (parts) => {
      const text = `["${parts.join('')}"]`;
      const isWell = (JSON.parse(text) as readonly string[]).every((each) => each.isWellFormed()); // as it was made
      t.equal(faultInText(text), isWell ? undefined : 'a lone surrogate', text);
    }),
  );
  t.end();
}); // prettier-ignore

t.test('canonical JSON is RFC 8785, behind the gate', (t) => {
  t.equal(
    canonicalJson({ '\u20ac': 'Euro Sign', '\r': 'Carriage Return', '\ufb33': 'Hebrew', '1': 'One', '\u{1f600}': 'Smiley', '\u0080': 'Control', '\u00f6': 'o' }),
    '{"\\r":"Carriage Return","1":"One","\u0080":"Control","ö":"o","€":"Euro Sign","😀":"Smiley","\ufb33":"Hebrew"}',
    'the sorting example of §3.2.3',
  ); // prettier-ignore
  t.equal(
    canonicalJson('\u20ac$\u000f\nA\'B"\\\\"/'),
    '"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"',
    'the strings of §3.2.2',
  );
  const fault = 1.5;
  for (const bad of [
    fault,
    -0,
    Number.NaN,
    '\ud800',
    new Date(0) as unknown as Json,
    undefined as unknown as Json,
  ])
    t.throws(() => canonicalJson(bad), TypeError);
  const strict = fc.jsonValue().map((value) => parseStrictJson(JSON.stringify(value)));
  fc.assert(
    fc.property(strict, (value) => {
      if (value === undefined) return true; // it held a float or a lone surrogate
      const text = canonicalJson(value);
      return text === canonicalize(value) && JSON.stringify(JSON.parse(text)).length === text.length;
    }),
  );
  t.end();
});
