import { readFileSync } from 'node:fs';
import * as fc from 'fast-check';
import t from 'tap';
import { concatBytes, encodeUtf8, fromHex, toHex } from '../../src/crypto/bytes.ts';
import { loadJwk, loadPublicKey, toJwk } from '../../src/crypto/key.ts';
import { noble } from '../../src/crypto/noble.ts';
import { loadSigner, newKey, node } from '../../src/crypto/node.ts';
import { toBase64url } from '../../src/crypto/base64.ts';
import type { PublicKey } from '../../src/crypto/suite.ts';

const bytes = (hex: string): Uint8Array => fromHex(hex) ?? new Uint8Array(0);

/** RFC 8032 §7.1: secret key, public key, message, signature. */
const VECTORS = [
  ['9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60', 'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a', '', 'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b'],
  ['4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb', '3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c', '72', '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00'],
  ['c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7', 'fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025', 'af82', '6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a'],
  ['833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42', 'ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf', 'ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f', 'dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704'],
]; // prettier-ignore

/** Every encoding of a point of small order, canonical or not (the eight torsion points and their other spellings). */
const SMALL_ORDER = [
  '0100000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000080',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0000000000000000000000000000000000000000000000000000000000000080',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85',
];

const ORDER = 2n ** 252n + 27742317777372353535851937790883648493n;

function littleEndian(number: bigint): Uint8Array {
  return Uint8Array.from({ length: 32 }, (_, i) => Number((number >> BigInt(8 * i)) & 255n));
}

function numberOf(scalar: Uint8Array): bigint {
  return scalar.reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
}

/** What both suites say; undefined where they differ. */
function verdict(
  key: PublicKey | undefined,
  message: Uint8Array,
  signature: Uint8Array,
): boolean | undefined {
  if (!key) return false;
  const [first, second] = [node, noble].map((suite) => suite.verify(key, message, signature));
  return first === second ? first : undefined;
}

t.test('the vectors of RFC 8032 verify and are made again', (t) => {
  for (const [secret = '', point = '', message = '', signature = ''] of VECTORS) {
    const key = loadPublicKey(bytes(point));
    t.equal(verdict(key, bytes(message), bytes(signature)), true, message.slice(0, 8));
    const signer = loadSigner({
      kty: 'OKP',
      crv: 'Ed25519',
      x: toBase64url(bytes(point)),
      d: toBase64url(bytes(secret)),
    });
    t.equal(toHex(signer.sign(bytes(message))), signature);
  }
  t.end();
});

interface Vector {
  readonly name: string;
  readonly key: string;
  readonly message: string;
  readonly signature: string;
  readonly valid: boolean;
}

t.test('every vector has the one verdict that it was given, from both suites', (t) => {
  const file = new URL('../vectors/ed25519.json', import.meta.url);
  const vectors = JSON.parse(readFileSync(file, 'utf8')) as readonly Vector[]; // our own file
  for (const { name, key, message, signature, valid } of vectors)
    t.equal(verdict(loadPublicKey(bytes(key)), bytes(message), bytes(signature)), valid, name);
  t.ok(vectors.length > 70);
  t.end();
});

t.test('the key and thumbprint of RFC 8037 come out', (t) => {
  const jwk = { kty: 'OKP', crv: 'Ed25519', x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo' };
  const key = loadJwk(jwk);
  t.equal(key?.id, 'kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k');
  t.strictSame(key && toJwk(key), jwk);
  t.end();
});

t.test('a signature whose S is not below the order is refused', (t) => {
  const [, point = '', message = '', signature = ''] = VECTORS[1] ?? [];
  const [key, good] = [loadPublicKey(bytes(point)), bytes(signature)];
  const s = numberOf(good.slice(32));
  for (const added of [ORDER, 2n * ORDER, 8n * ORDER, 15n * ORDER]) {
    const malleable = concatBytes(good.slice(0, 32), littleEndian(s + added));
    t.equal(verdict(key, bytes(message), malleable), false, `S + ${added / ORDER}·L`);
  }
  t.equal(verdict(key, bytes(message), concatBytes(good.slice(0, 32), littleEndian(ORDER))), false, 'S = L');
  t.equal(verdict(key, bytes(message), good.slice(0, 63)), false, 'too short');
  t.equal(verdict(key, bytes(message), concatBytes(good, Uint8Array.of(0))), false, 'too long');
  t.end();
});

t.test('keys of small order or with another spelling are never loaded', (t) => {
  for (const point of SMALL_ORDER) t.equal(loadPublicKey(bytes(point)), undefined, point);
  const prime = 2n ** 255n - 19n;
  for (let y = prime; y < 2n ** 255n; y++) {
    if (loadPublicKey(littleEndian(y))) t.fail(`y = p + ${y - prime}`);
    if (loadPublicKey(littleEndian(y + 2n ** 255n))) t.fail(`y = p + ${y - prime}, signed`);
  }
  t.equal(loadPublicKey(littleEndian(2n)), undefined, 'no point of the curve');
  t.equal(loadPublicKey(new Uint8Array(31)), undefined, 'too short');
  t.end();
});

t.test('a JWK is a public Ed25519 key in one spelling and nothing else', (t) => {
  const good = { kty: 'OKP', crv: 'Ed25519', x: toBase64url(loadSigner(newKey()).key.bytes) };
  t.ok(loadJwk(good));
  const rows: [string, unknown][] = [
    ['a private key', newKey()],
    ['another curve', { ...good, crv: 'X25519' }],
    ['another type', { ...good, kty: 'EC' }],
    ['a member more', { ...good, kid: '1' }],
    ['padding', { ...good, x: `${good.x}=` }],
    ['a number for x', { ...good, x: 1 }],
    ['no x', { kty: 'OKP', crv: 'Ed25519' }],
    ['null', null],
    ['a text', 'x'],
  ];
  for (const [name, jwk] of rows) t.equal(loadJwk(jwk), undefined, name);
  t.throws(
    () => loadSigner({ ...newKey(), x: newKey().x }),
    /does not belong/,
    'a public part of another key',
  );
  t.end();
});

t.test('both suites say the same of every changed signature, message and key', (t) => {
  const signer = loadSigner(newKey());
  const message = encodeUtf8('a message');
  const signature = signer.sign(message);
  t.equal(verdict(signer.key, message, signature), true);
  const flip = (given: Uint8Array, at: number, mask: number): Uint8Array =>
    given.with(at, (given[at] ?? 0) ^ mask);
  const mask = fc.integer({ min: 1, max: 255 });
  fc.assert(
    fc.property(
      fc.nat(63),
      mask,
      (at, mask) => verdict(signer.key, message, flip(signature, at, mask)) === false,
    ),
  );
  fc.assert(
    fc.property(
      fc.nat(8),
      mask,
      (at, mask) => verdict(signer.key, flip(message, at, mask), signature) === false,
    ),
  );
  fc.assert(
    fc.property(
      fc.nat(31),
      mask,
      (at, mask) => verdict(loadPublicKey(flip(signer.key.bytes, at, mask)), message, signature) === false,
    ),
  );
  for (const r of SMALL_ORDER) {
    const forged = concatBytes(bytes(r), new Uint8Array(32));
    t.equal(verdict(signer.key, message, forged), false, 'R of small order, S = 0');
  }
  t.end();
});
