import t from 'tap';
import { toJwk } from '../../src/crypto/key.ts';
import { Authorities, parseAuthorities } from '../../src/grant/authorities.ts';
import { authoritiesText, authority, ISS, stranger } from './tokens.ts';

const jwk = toJwk(authority.key);
const pair = { iss: ISS, jwk };
const file = (...authorities: readonly unknown[]): string => JSON.stringify({ authorities });

const faults: readonly (readonly [name: string, text: string])[] = [
  ['nothing', ''],
  ['garbage', 'authorities: []'],
  ['a list', '[]'],
  ['null', 'null'],
  ['an object without the list', '{}'],
  ['an unknown member', JSON.stringify({ authorities: [pair], version: 1 })],
  ['the list twice', `{"authorities":[],"authorities":[]}`],
  ['no iss', file({ jwk })],
  ['an empty iss', file({ iss: '', jwk })],
  ['no key', file({ iss: ISS })],
  ['an unknown member of a pair', file({ ...pair, kid: 'a' })],
  ['a private key', file({ iss: ISS, jwk: { ...jwk, d: jwk.x } })],
  ['a key of another curve', file({ iss: ISS, jwk: { ...jwk, crv: 'X25519' } })],
  ['a key with a short x', file({ iss: ISS, jwk: { ...jwk, x: 'AAAA' } })],
  [
    'a small-order key',
    file({ iss: ISS, jwk: { ...jwk, x: 'AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA' } }),
  ],
  ['a pair that stands there twice', file(pair, pair)],
  ['one bad pair of two', file(pair, {})],
];

for (const [name, text] of faults) {
  t.test(`a list with ${name} is unreadable`, async (t) => {
    t.match(parseAuthorities(text), { ok: false });
    const authorities = new Authorities();
    t.equal(authorities.load(authoritiesText(authority)), undefined);
    t.type(authorities.load(text), 'string');
    t.type(authorities.fault, 'string');
    t.equal(authorities.find(ISS, undefined), undefined, 'nobody is trusted any more');
  });
}

t.test('a list may be empty, and then trusts nobody', async (t) => {
  const authorities = new Authorities();
  t.equal(authorities.load('{"authorities":[]}'), undefined);
  t.equal(authorities.find(ISS, undefined), undefined);
});

t.test('one key may sign for two issuers, and one issuer may have two keys', async (t) => {
  const authorities = new Authorities();
  const text = file(pair, { iss: 'urn:other', jwk }, { iss: ISS, jwk: toJwk(stranger.key) });
  t.equal(authorities.load(text), undefined);
  t.equal(authorities.find('urn:other', undefined)?.id, authority.key.id);
  t.equal(authorities.find(ISS, stranger.key.id)?.id, stranger.key.id);
  t.equal(authorities.find(ISS, undefined), undefined, 'which of the two?');
  t.equal(authorities.find('urn:other', stranger.key.id), undefined, 'a key signs only for its issuer');
});

t.test('every load begins a new generation', async (t) => {
  const authorities = new Authorities();
  const before = authorities.generation;
  authorities.load(undefined);
  t.not(authorities.generation, before);
});

t.test('withdrawing is the first half of a load, and admitting the second', async (t) => {
  const authorities = new Authorities();
  const other = { iss: 'urn:other', jwk };
  t.equal(authorities.load(file(pair)), undefined);
  t.equal(authorities.withdraw(file(other)), undefined);
  t.strictSame(authorities.pairs, [], 'one is gone, the other not there yet');
  authorities.admit(authorities.announced);
  t.equal(authorities.find('urn:other', undefined)?.id, authority.key.id);
  const { announced } = authorities;
  authorities.withdraw('');
  authorities.admit(announced);
  t.strictSame(authorities.pairs, [], 'what was recorded before the list became unreadable is not trusted');
});
