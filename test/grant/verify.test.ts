import t from 'tap';
import { toBase64 } from '../../src/crypto/base64.ts';
import { encodeUtf8 } from '../../src/crypto/bytes.ts';
import { noble } from '../../src/crypto/noble.ts';
import { node } from '../../src/crypto/node.ts';
import type { Suite } from '../../src/crypto/suite.ts';
import type { DenialCode } from '../../src/denial/table.ts';
import { Authorities } from '../../src/grant/authorities.ts';
import type { GrantVerifier, Verified } from '../../src/grant/verify.ts';
import {
  AUD,
  NOW,
  authoritiesText,
  authority,
  entry,
  makeToken,
  makeVerifier,
  stranger,
  trusting,
} from './tokens.ts';
import type { Recipe } from './tokens.ts';

const verify = (token: string, verifier = makeVerifier(), now = NOW): Verified =>
  verifier.verify({ from: 'writ-grant', text: token }, now * 1000, 'active');

const claims =
  (members: Record<string, unknown>) =>
  ({ payload }: Recipe): void =>
    void Object.assign(payload, members);

t.test('a good grant is verified, with everything that goes on record', async (t) => {
  const token = makeToken(claims({ claims: { ticket: 'A-1' }, intent: 'try', nbf: NOW, policy: undefined }));
  t.match(verify(token), {
    ok: true,
    value: {
      root: {
        sub: 'agent:test',
        aud: AUD,
        claims: { ticket: 'A-1' },
        intent: 'try',
        nbf: NOW,
        exp: NOW + 600,
      },
      key: { id: authority.key.id },
      digest: /^[0-9a-f]{64}$/,
    },
  });
});

const refusals: readonly (readonly [name: string, change: (recipe: Recipe) => void, code: DenialCode])[] = [
  ['of an issuer that nobody pinned', claims({ iss: 'urn:other' }), 'grant_unknown_key'],
  ['without iss', claims({ iss: undefined }), 'grant_unknown_key'],
  ['that names another kid', ({ header }) => (header['kid'] = stranger.key.id), 'grant_unknown_key'],
  ['with an empty kid', ({ header }) => (header['kid'] = ''), 'grant_unknown_key'],
  ['signed by a stranger', (recipe) => (recipe.signer = stranger), 'grant_bad_signature'],
  ['with del_depth', claims({ del_depth: 0 }), 'grant_chain_unsupported'],
  ['with del_max_depth', claims({ del_max_depth: 2 }), 'grant_chain_unsupported'],
  ['with par_hash', claims({ par_hash: 'a' }), 'grant_chain_unsupported'],
  ['for another sidecar', claims({ aud: 'localhost/writ/ffff' }), 'grant_wrong_audience'],
  ['that lives an hour and a second', claims({ iat: NOW, exp: NOW + 3601 }), 'grant_lifetime'],
  ['issued 31 seconds from now', claims({ iat: NOW + 31 }), 'grant_not_yet_valid'],
  ['that starts in a second', claims({ nbf: NOW + 1 }), 'grant_not_yet_valid'],
  ['that expires now', claims({ exp: NOW }), 'grant_expired'],
  ['that expired long ago', claims({ iat: NOW - 900, exp: NOW - 800 }), 'grant_expired'],
  ['for another policy', claims({ policy: { sha256: 'a'.repeat(64) } }), 'grant_wrong_policy'],
  ['bound to an environment', claims({ env: { image: 'sha256:a' } }), 'grant_environment_unsupported'],
  ['bound to a key', claims({ cnf: { jwk: {} } }), 'grant_possession_unsupported'],
];

for (const [name, change, code] of refusals) {
  t.test(`a grant ${name} is refused with ${code}`, async (t) => {
    const verified = verify(makeToken(change));
    t.match(verified, { ok: false, code });
    const authentic = !['grant_unknown_key', 'grant_bad_signature'].includes(code);
    t.equal(
      !verified.ok && verified.known?.key.id === authority.key.id,
      authentic,
      'known once its signature verified',
    );
  });
}

t.test('clocks may differ by 30 seconds at iat, and by nothing at exp', async (t) => {
  t.match(verify(makeToken(claims({ iat: NOW + 30 }))), { ok: true });
  t.match(verify(makeToken(claims({ exp: NOW + 1 }))), { ok: true });
  t.match(verify(makeToken(claims({ iat: NOW, exp: NOW + 3600 }))), { ok: true });
});

t.test('a grant is bound to the bundle that is active at the call', async (t) => {
  const token = makeToken(claims({ policy: { sha256: 'b'.repeat(64) } }));
  const verifier = makeVerifier();
  const credential = { from: 'writ-grant', text: token } as const;
  t.match(verifier.verify(credential, NOW * 1000, 'b'.repeat(64)), { ok: true });
  t.match(verifier.verify(credential, NOW * 1000, 'c'.repeat(64)), { code: 'grant_wrong_policy' });
  t.match(verifier.verify(credential, NOW * 1000, undefined), { code: 'grant_wrong_policy' });
});

t.test('a counted grant must be for the log that counts', async (t) => {
  const counted = makeToken(
    claims({ aud: 'fleet', authorization_details: [entry(), entry({ max_calls: 1 })] }),
  );
  const uncounted = makeToken(claims({ aud: 'fleet' }));
  const verifier = makeVerifier({ audience: 'fleet', origin: AUD });
  t.match(verify(counted, verifier), { code: 'grant_wrong_audience' });
  t.match(verify(uncounted, verifier), { ok: true });
});

t.test('kid chooses among the keys of an issuer, and without kid there must be one only', async (t) => {
  const verifier = makeVerifier({ authorities: trusting(authority, stranger) });
  t.match(verify(makeToken(), verifier), { code: 'grant_unknown_key' });
  for (const signer of [authority, stranger]) {
    const change = (recipe: Recipe): void => {
      recipe.header['kid'] = signer.key.id;
      recipe.signer = signer;
    };
    t.match(verify(makeToken(change), verifier), { ok: true, value: { key: { id: signer.key.id } } });
  }
});

t.test('a chain is refused, once its root is authentic', async (t) => {
  t.match(verify(`${makeToken()}, ${makeToken()}`), { code: 'grant_chain_unsupported' });
  t.match(verify(`${makeToken((recipe) => (recipe.signer = stranger))},${makeToken()}`), {
    code: 'grant_bad_signature',
  });
  t.match(verify(`${makeToken(claims({ jti: 'a' }))},${makeToken()}`), { code: 'grant_claims_invalid' });
});

t.test('a grant travels in either header', async (t) => {
  const token = makeToken();
  const proxy = (text: string): Verified =>
    makeVerifier().verify({ from: 'proxy-authorization', text }, NOW * 1000, undefined);
  const basic = (pair: string): string => `Basic ${toBase64(encodeUtf8(pair))}`;
  t.match(proxy(`Bearer ${token}`), { ok: true });
  t.match(proxy(`bearer  ${token}`), { ok: true });
  t.match(proxy(basic(`grant:${token}`)), { ok: true });
  t.match(proxy(basic(`other:${token}`)), { code: 'grant_malformed' });
  t.match(proxy(basic(token)), { code: 'grant_malformed' });
  t.match(proxy(`Basic ${token}`), { code: 'grant_malformed' });
  t.match(proxy(`Digest ${token}`), { code: 'grant_malformed' });
  t.match(proxy('Bearer'), { code: 'grant_malformed' });
  t.match(proxy(''), { code: 'grant_malformed' });
  t.match(proxy(basic(`grant:${'a'.repeat(10_000)}`)), { code: 'grant_too_large' });
  t.match(proxy(`Bearer ${'a'.repeat(20_000)}`), { code: 'grant_too_large' });
});

t.test('a call without a grant, and one with an empty header', async (t) => {
  t.match(makeVerifier().verify(undefined, NOW * 1000, undefined), { code: 'grant_missing' });
  t.match(verify(''), { code: 'grant_malformed' });
});

t.test(
  'an unreadable list of authorities closes the gate, also for grants that were verified before',
  async (t) => {
    for (const text of [undefined, '', '{', '[]', '{"authorities":{}}', '{"authorities":[{"iss":"a"}]}']) {
      const authorities = trusting();
      const verifier = makeVerifier({ authorities });
      const token = makeToken();
      t.match(verify(token, verifier), { ok: true });
      authorities.load(text);
      t.match(verify(token, verifier), { code: 'authorities_unreadable' });
      t.match(verifier.verify(undefined, NOW * 1000, undefined), { code: 'authorities_unreadable' });
    }
    t.match(verify(makeToken(), makeVerifier({ authorities: new Authorities() })), {
      code: 'authorities_unreadable',
    });
  },
);

t.test('withdrawn trust is withdrawn from what was verified before', async (t) => {
  const authorities = trusting();
  const verifier = makeVerifier({ authorities });
  const token = makeToken();
  t.match(verify(token, verifier), { ok: true });
  authorities.load(authoritiesText(stranger));
  t.match(verify(token, verifier), { code: 'grant_bad_signature' });
  authorities.load('{"authorities":[]}');
  t.match(verify(token, verifier), { code: 'grant_unknown_key' });
});

t.test('a remembered grant costs no signature check, and everything else is checked anew', async (t) => {
  const { verifier, checks } = counting();
  const token = makeToken();
  for (let i = 0; i < 5; i++) t.match(verify(token, verifier), { ok: true });
  t.equal(checks(), 1);
  t.match(verify(token, verifier, NOW + 600), { code: 'grant_expired' });
  t.match(verify(token, verifier, NOW - 600), { code: 'grant_not_yet_valid' });
  t.equal(checks(), 1);
});

t.test(
  'another signature under the header and payload of a remembered grant is checked, and refused',
  async (t) => {
    const { verifier, checks } = counting();
    const token = makeToken();
    t.match(verify(token, verifier), { ok: true });
    const other = makeToken((recipe) => (recipe.signer = stranger));
    t.equal(other.slice(0, -86), token.slice(0, -86), 'only the signature differs');
    t.match(verify(other, verifier), { code: 'grant_bad_signature' });
    t.equal(checks(), 2);
  },
);

t.test('what was refused is not remembered', async (t) => {
  const { verifier, checks } = counting();
  const forged = makeToken((recipe) => (recipe.signer = stranger));
  for (let i = 0; i < 3; i++) t.match(verify(forged, verifier), { code: 'grant_bad_signature' });
  t.equal(checks(), 3);
});

t.test('a flipped bit anywhere in a token is found, in every spelling of a character', async (t) => {
  const token = makeToken();
  const verifier = makeVerifier();
  t.match(verify(token, verifier), { ok: true });
  let accepted = 0;
  for (let at = 0; at < token.length; at++)
    for (let bit = 0; bit < 7; bit++) {
      const flipped = String.fromCharCode(token.charCodeAt(at) ^ (1 << bit));
      if (verify(token.slice(0, at) + flipped + token.slice(at + 1), verifier).ok) accepted++;
    }
  t.equal(accepted, 0);
});

t.test('both cryptographic suites give the same verdicts', async (t) => {
  for (const suite of [node, noble]) {
    t.match(verify(makeToken(), makeVerifier({ suite })), { ok: true });
    t.match(
      verify(
        makeToken((recipe) => (recipe.signer = stranger)),
        makeVerifier({ suite }),
      ),
      {
        code: 'grant_bad_signature',
      },
    );
  }
});

/** A broken grant on its way to the verifier. */
interface Attempt {
  authorities: Authorities;
  changes: ((recipe: Recipe) => void)[];
  spoil: (token: string) => string;
  missing: boolean;
}

const change =
  (one: (recipe: Recipe) => void) =>
  ({ changes }: Attempt): unknown =>
    changes.push(one);

/** One fault of each check, in the order of formats.md §2. */
const ordered: readonly (readonly [code: DenialCode, fault: (attempt: Attempt) => unknown])[] = [
  ['authorities_unreadable', (attempt) => (attempt.authorities = new Authorities())],
  ['grant_missing', (attempt) => (attempt.missing = true)],
  ['grant_too_large', (attempt) => (attempt.spoil = (token) => token + 'a'.repeat(9000))],
  ['grant_malformed', change(({ header }) => (header['crit'] = []))],
  ['grant_unknown_key', change(claims({ iss: 'urn:other' }))],
  ['grant_bad_signature', change((recipe) => (recipe.signer = stranger))],
  ['grant_claims_invalid', change(claims({ jti: 'a' }))],
  ['grant_chain_unsupported', change(claims({ par_hash: 'a' }))],
  ['grant_wrong_audience', change(claims({ aud: 'other' }))],
  ['grant_lifetime', change(({ payload }) => (payload['iat'] = NOW - 90_000))],
  ['grant_expired', change(claims({ exp: NOW - 1 }))],
  ['grant_wrong_policy', change(claims({ policy: { sha256: 'a'.repeat(64) } }))],
  ['grant_environment_unsupported', change(claims({ env: {} }))],
  ['grant_possession_unsupported', change(claims({ cnf: {} }))],
];

t.test('of two faults, the check that stands first in the order names the refusal', async (t) => {
  for (const [i, [code, one]] of ordered.entries())
    for (const [later, other] of ordered.slice(i)) {
      const attempt: Attempt = {
        authorities: trusting(),
        changes: [],
        spoil: (token) => token,
        missing: false,
      };
      other(attempt);
      one(attempt);
      const text = attempt.spoil(makeToken((recipe) => attempt.changes.forEach((each) => each(recipe))));
      const verifier = makeVerifier({ authorities: attempt.authorities });
      const credential = attempt.missing ? undefined : ({ from: 'writ-grant', text } as const);
      t.match(
        verifier.verify(credential, NOW * 1000, undefined),
        { ok: false, code },
        `${code} before ${later}`,
      );
    }
});

/** A verifier that says how often it checked a signature. */
function counting(): { readonly verifier: GrantVerifier; readonly checks: () => number } {
  let checks = 0;
  const suite: Suite = {
    ...node,
    verify: (...given) => {
      checks++;
      return node.verify(...given);
    },
  };
  return { verifier: makeVerifier({ suite }), checks: () => checks };
}
