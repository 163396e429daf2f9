import fc from 'fast-check';
import t from 'tap';
import { fromBase64url, toBase64url } from '../../src/crypto/base64.ts';
import { encodeUtf8 } from '../../src/crypto/bytes.ts';
import { loadSigner, node } from '../../src/crypto/node.ts';
import { noble } from '../../src/crypto/noble.ts';
import type { DenialCode } from '../../src/denial/table.ts';
import { parseToken, parseTokens } from '../../src/grant/token.ts';
import { authority, makeToken, sign } from './tokens.ts';

const good = makeToken();
const [head = '', body = '', seal = ''] = good.split('.');
const headed = (header: string): string => sign(header, '{}');
const paid = (payload: string): string => sign('{"alg":"EdDSA","typ":"writ-grant+jwt"}', payload);

const refusals: readonly (readonly [name: string, given: string, code: DenialCode])[] = [
  ['nothing', '', 'grant_malformed'],
  ['a word', 'grant', 'grant_malformed'],
  ['two parts', `${head}.${body}`, 'grant_malformed'],
  ['four parts', `${good}.a`, 'grant_malformed'],
  ['an empty payload', `${head}..${seal}`, 'grant_malformed'],
  ['an empty signature', `${head}.${body}.`, 'grant_malformed'],
  ['a signature of 85 characters', good.slice(0, -1), 'grant_malformed'],
  ['a signature of 87 characters', `${good}A`, 'grant_malformed'],
  ['padding', `${good}==`, 'grant_malformed'],
  ['a space before', ` ${good}`, 'grant_malformed'],
  ['a line feed after', `${good}\n`, 'grant_malformed'],
  ['standard base64', `${head}.${body.slice(0, -1)}+.${seal}`, 'grant_malformed'],
  ['a header that is no JSON', headed('alg'), 'grant_malformed'],
  ['a header that is an array', headed('[]'), 'grant_malformed'],
  ['a header without typ', headed('{"alg":"EdDSA"}'), 'grant_malformed'],
  ['typ JWT', headed('{"alg":"EdDSA","typ":"JWT"}'), 'grant_malformed'],
  ['alg none', headed('{"alg":"none","typ":"writ-grant+jwt"}'), 'grant_malformed'],
  ['alg HS256', headed('{"alg":"HS256","typ":"writ-grant+jwt"}'), 'grant_malformed'],
  ['a kid that is a number', headed('{"alg":"EdDSA","typ":"writ-grant+jwt","kid":1}'), 'grant_malformed'],
  ['alg twice', headed('{"alg":"none","alg":"EdDSA","typ":"writ-grant+jwt"}'), 'grant_malformed'],
  [
    'alg twice, once escaped',
    headed('{"\\u0061lg":"none","alg":"EdDSA","typ":"writ-grant+jwt"}'),
    'grant_malformed',
  ],
  ...['jwk', 'jku', 'x5c', 'x5u', 'crit', 'b64', 'zip', 'cty', '__proto__'].map(
    (name) =>
      [
        `${name} in the header`,
        headed(`{"alg":"EdDSA","typ":"writ-grant+jwt","${name}":[]}`),
        'grant_malformed',
      ] as const,
  ),
  ['a payload that is an array', paid('[]'), 'grant_malformed'],
  ['a payload that is null', paid('null'), 'grant_malformed'],
  ['a claim twice', paid('{"exp":1,"exp":2}'), 'grant_malformed'],
  ['a nested member twice', paid('{"a":{"b":1,"b":1}}'), 'grant_malformed'],
  ['a float', paid('{"exp":1.5}'), 'grant_malformed'],
  ['an integer beyond 2^53', paid('{"exp":9007199254740993}'), 'grant_malformed'],
  ['a __proto__ member', paid('{"__proto__":{}}'), 'grant_malformed'],
  ['a lone surrogate', paid('{"sub":"\\ud800"}'), 'grant_malformed'],
  ['nesting beyond 64', paid(`{"a":${'['.repeat(70)}${']'.repeat(70)}}`), 'grant_malformed'],
  ['a byte-order mark', paid('\ufeff{}'), 'grant_malformed'],
  [
    'a payload that is not UTF-8',
    `${head}.${toBase64url(Uint8Array.of(0x7b, 0xff, 0x7d))}.${seal}`,
    'grant_malformed',
  ],
  ['8193 characters', 'a'.repeat(8193), 'grant_too_large'],
];

for (const [name, given, code] of refusals) {
  t.test(`a token with ${name} is refused with ${code}`, async (t) => {
    t.match(parseTokens(given), { ok: false, code });
  });
}

t.test('both names of the algorithm are read, with and without kid', async (t) => {
  t.match(parseToken(headed('{"alg":"Ed25519","typ":"writ-grant+jwt"}')), { ok: true });
  t.match(parseToken(headed('{"typ":"writ-grant+jwt","kid":"k","alg":"EdDSA"}')), {
    ok: true,
    value: { kid: 'k' },
  });
});

t.test('of the 16 spellings of one signature only the canonical one is read', async (t) => {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  const last = alphabet.indexOf(good.slice(-1));
  t.equal(last % 16, 0, 'the canonical one leaves its last four bits zero');
  for (let spare = 0; spare < 16; spare++) {
    const spelled = good.slice(0, -1) + alphabet.charAt(last + spare);
    t.same(
      Buffer.from(spelled.split('.')[2] ?? '', 'base64url'),
      Buffer.from(seal, 'base64url'),
      'the same bytes',
    );
    t.equal(parseToken(spelled).ok, spare === 0, `spelling ${spare}`);
  }
});

t.test('a chain has at most 8 tokens and 10 KiB', async (t) => {
  t.match(parseTokens(Array.from({ length: 8 }, () => good).join(', ')), { ok: true });
  t.match(parseTokens(Array.from({ length: 9 }, () => good).join(',')), { code: 'grant_too_large' });
  t.match(parseTokens(`${good},${'a'.repeat(8000)},${'a'.repeat(2300)}`), { code: 'grant_too_large' });
  t.match(parseTokens(`${good},`), { code: 'grant_malformed' });
  for (const large of ['a'.repeat(8193), ` ${'a'.repeat(8193)}`])
    t.match(parseTokens(`a.b.c,${large}`), { code: 'grant_too_large' }, 'sizes come before every shape');
  t.match(parseTokens(`${good},${' '.repeat(500)}${'a'.repeat(8192)}`), { code: 'grant_malformed' });
});

t.test('what is accepted writes itself exactly as it was given, and nothing throws', async (t) => {
  const part = fc.oneof(
    fc.string(),
    fc.json().map((text) => toBase64url(encodeUtf8(text))),
    fc.constantFrom(head, body, seal),
    fc.uint8Array({ minLength: 64, maxLength: 64 }).map(toBase64url),
  );
  const token = fc.oneof(
    fc.string(),
    fc.tuple(fc.oneof(fc.constant(head), part), part, part).map((parts) => parts.join('.')),
  );
  let accepted = 0;
  fc.assert(
    fc.property(token, (text) => {
      const parsed = parseToken(text);
      if (!parsed.ok) return true;
      accepted++;
      const { signingInput, signature } = parsed.value;
      const again = signingInput
        .split('.')
        .map((part) => toBase64url(fromBase64url(part) ?? new Uint8Array()));
      return [...again, toBase64url(signature)].join('.') === text;
    }),
    { numRuns: 5000 },
  );
  t.ok(accepted > 50, 'enough were accepted for this to mean something');
});

t.test('RFC 8037 Appendix A', async (t) => {
  const x = '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo';
  const signer = loadSigner({
    ...{ kty: 'OKP', crv: 'Ed25519', x },
    d: 'nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A',
  });
  t.equal(signer.key.id, 'kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k', 'A.3');
  const signingInput = 'eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc';
  const signature = 'hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg';
  t.equal(toBase64url(signer.sign(encodeUtf8(signingInput))), signature, 'A.4');
  const bytes = fromBase64url(signature) ?? new Uint8Array();
  for (const suite of [node, noble]) t.ok(suite.verify(signer.key, encodeUtf8(signingInput), bytes), 'A.5');
  t.match(parseToken(`${signingInput}.${signature}`), { code: 'grant_malformed' }, 'no grant for all that');
});

t.test('a token of ours is what another JWS library would make of the same bytes', async (t) => {
  const [first = ''] = good.split('.');
  t.same(JSON.parse(Buffer.from(first, 'base64url').toString()), { alg: 'EdDSA', typ: 'writ-grant+jwt' });
  const signingInput = encodeUtf8(good.slice(0, good.lastIndexOf('.')));
  t.ok(noble.verify(authority.key, signingInput, Buffer.from(seal, 'base64url')));
});
