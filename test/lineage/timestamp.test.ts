import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import t from 'tap';
import { certificatesIn } from '../../src/lineage/timestamp-chain.ts';
import { timestampedBytes, timestampRequest, verifyTimestamp } from '../../src/lineage/timestamp.ts';
import type { TimestampClaim, TimestampFault, TimestampOutcome } from '../../src/lineage/timestamp.ts';
import { fetchTimestamp } from '../../src/sidecar/timestamp-post.ts';
import { unlessInstalled } from '../third-party/tool.ts';
import { CMS, serveAuthority, TestAuthority } from './test-authority.ts';
import type { HttpAnswer } from './test-authority.ts';

t.setTimeout(120_000);
const skip = unlessInstalled('openssl', 'version');
const data = Buffer.from('log.example/1\n7\nroot\n\n— log.example/1 signature\n');
/** 1.2.840.10045.4.3.2 and .4, DER. */
const ECDSA_SHA256 = Buffer.from('06082a8648ce3d040302', 'hex');
const ECDSA_SHA512 = Buffer.from('06082a8648ce3d040304', 'hex');
const DAY_MS = 86_400_000;
const inDays = (days: number): Date => new Date(Math.floor(Date.now() / 1000) * 1000 + days * DAY_MS);

function rootsOf(authority: TestAuthority, ...names: readonly string[]): TimestampClaim['roots'] {
  const roots = certificatesIn(names.map((name) => authority.pem(name)).join(''));
  if (!roots) throw new Error('no roots');
  return roots;
}

function codeOf(outcome: TimestampOutcome): TimestampFault | 'good' {
  return outcome.ok ? 'good' : outcome.code;
}

t.test('what OpenSSL answers is believed, and says when and who', { skip }, async (t) => {
  const authority = new TestAuthority(t);
  authority.certify('between', { issuer: 'root', is: 'ca' });
  authority.certify('below', { issuer: 'between' });
  authority.certify('rsa', { issuer: 'root', key: 'rsa-2048' });
  const roots = rootsOf(authority, 'root');
  const nonce = Uint8Array.of(0x41, 2, 3, 4, 5, 6, 7, 8);
  const rows: [string, Uint8Array, string][] = [
    ['our question', authority.reply(timestampRequest(data, nonce)), 'CN=tsa'],
    ['a longer chain', authority.reply(timestampRequest(data, nonce), 'below', '-chain', 'between.pem'), 'CN=below'],
    ['an RSA key', authority.reply(timestampRequest(data, nonce), 'rsa'), 'CN=rsa'],
    ['what we forge, where nothing is forged', authority.forge(data, { nonce }), 'CN=tsa'],
  ]; // prettier-ignore
  for (const [name, response, by] of rows) {
    const before = Date.now();
    const found = verifyTimestamp(response, { data, roots, nonce });
    if (!found.ok) throw new Error(`${name}: ${found.code}`);
    t.match(found.value, { by, policy: '1.2.3.4.1' }, name);
    t.ok(Math.abs(found.value.before - before) < 60_000, `${name}: now`);
  }
  const offline = authority.reply(authority.query(data, '-cert'));
  t.equal(
    codeOf(verifyTimestamp(offline, { data, roots })),
    'good',
    'OpenSSL’s own question, verified later',
  );
  const time = inDays(1);
  const tomorrow = verifyTimestamp(authority.forge(data, { time }), { data, roots });
  t.match(tomorrow, { ok: true, value: { before: time.getTime() } }, 'the time is the token’s, not ours');
});

t.test('everything else is refused, by name', { skip }, (t) => {
  const authority = new TestAuthority(t);
  const roots = rootsOf(authority, 'root');
  const nonce = Uint8Array.of(0x41, 2, 3, 4, 5, 6, 7, 8);
  authority.certify('alias', { is: 'ca', keyOf: 'root' });
  const good = authority.reply(timestampRequest(data, nonce));
  const signers = ['no-purpose', 'soft-purpose', 'two-purposes', 'no-signing', 'unknown-critical'];
  for (const is of signers) authority.certify(is, { issuer: 'root', is });
  authority.certify('other-root', { is: 'ca' });
  authority.certify('stranger', { issuer: 'other-root' });
  authority.certify('itself', {});
  authority.certify('below-leaf', { issuer: 'tsa' });
  for (const is of ['ca-names', 'ca-other-purpose', 'plain']) authority.certify(is, { issuer: 'root', is });
  authority.certify('ca-brief', { issuer: 'root', is: 'ca', days: 2 });
  authority.certify('ca-short', { issuer: 'root', is: 'ca-short' });
  authority.certify('ca-too-deep', { issuer: 'ca-short', is: 'ca' });
  const below = ['ca-names', 'ca-other-purpose', 'ca-brief', 'ca-short', 'ca-too-deep'];
  for (const ca of below) authority.certify(`below-${ca}`, { issuer: ca });
  authority.certify('weak', { issuer: 'root', key: 'rsa-1024' });
  authority.certify('sha1', { issuer: 'root', digest: 'sha1' });

  const signedBy = (signer: string, days = 0, ...chain: readonly string[]): Uint8Array => {
    const args = CMS;
    const extra = chain.map((name) => authority.pem(name)).join('');
    if (!extra) return authority.forge(data, { signer, nonce, time: inDays(days), args });
    authority.bundle('extra.pem', extra);
    return authority.forge(data, {
      signer,
      nonce,
      time: inDays(days),
      args: [...args, '-certfile', 'extra.pem'],
    });
  };
  const namesake = new TestAuthority(t);
  namesake.certify('plain', { issuer: 'root', is: 'plain' });
  authority.certify('below-plain', { issuer: 'plain', is: 'plain' });
  const twice = authority.forge(data, {
    args: [...CMS, '-signer', 'ca-short.pem', '-inkey', 'ca-short.key'],
  });
  const rows: [string, Uint8Array, TimestampFault | 'good'][] = [
    ['nothing', Buffer.alloc(0), 'timestamp_malformed'],
    ['text', Buffer.from('<html>Sorry'), 'timestamp_malformed'],
    ['a byte after it', Buffer.concat([good, Uint8Array.of(0)]), 'timestamp_malformed'],
    ['it twice', Buffer.concat([good, good]), 'timestamp_malformed'],
    ['a token without a response', good.subarray(9), 'timestamp_malformed'],
    ['granted, and no token', Uint8Array.of(0x30, 5, 0x30, 3, 2, 1, 0), 'timestamp_malformed'],
    ['rejected', Uint8Array.of(0x30, 5, 0x30, 3, 2, 1, 2), 'timestamp_refused'],
    ['rejected by OpenSSL', authority.reply(authority.query(data, '-cert', '-tspolicy', '1.2.3.9')), 'timestamp_refused'],
    ['waiting, with a good token', Buffer.concat([good.subarray(0, 8), Uint8Array.of(3), good.subarray(9)]), 'timestamp_refused'],
    ['without its certificate', authority.reply(authority.query(data)), 'timestamp_wrong_signer'],
    ['without saying which certificate', authority.forge(data, { args: ['-md', 'sha256', '-econtent_type', '1.2.840.113549.1.9.16.1.4'] }), 'timestamp_wrong_signer'],
    ['content of another type', authority.forge(data, { args: ['-cades', '-md', 'sha256'] }), 'timestamp_malformed'],
    ['version 2', authority.forge(data, { version: 2 }), 'timestamp_malformed'],
    ['an extension that must be understood', authority.forge(data, { nonce, critical: true }), 'timestamp_malformed'],
    ['two signers', twice, 'timestamp_malformed'],
    ['content changed', spoil(good, Uint8Array.of(0x41, 2, 3, 4, 5), Uint8Array.of(0x41, 2, 3, 4, 6)), 'timestamp_bad_signature'],
    ['a SHA-1 signature', authority.forge(data, { args: ['-cades', '-md', 'sha1', '-econtent_type', '1.2.840.113549.1.9.16.1.4'] }), 'timestamp_weak'],
    ['a signature by another digest than it says', spoil(good, ECDSA_SHA256, ECDSA_SHA512), 'timestamp_weak'],
    ['a short RSA key', signedBy('weak'), 'timestamp_weak'],
    ['other data', authority.reply(authority.query('other data', '-cert')), 'timestamp_wrong_imprint'],
    ['another hash', authority.reply(authority.query(data, '-cert', '-sha256')), 'timestamp_wrong_imprint'],
    ['another nonce', authority.reply(authority.query(data, '-cert')), 'timestamp_wrong_nonce'],
    ['no nonce', authority.reply(authority.query(data, '-cert', '-no_nonce')), 'timestamp_wrong_nonce'],
    ...signers.map((is) => [is, signedBy(is), 'timestamp_wrong_purpose'] as const).map((row) => [...row] as [string, Uint8Array, TimestampFault]),
    ['a signer that has run out', signedBy('tsa', 11), 'timestamp_expired'],
    ['a signer that was not there yet', signedBy('tsa', -2), 'timestamp_expired'],
    ['another root', signedBy('stranger', 0, 'other-root'), 'timestamp_untrusted'],
    ['a namesake of the root', namesake.forge(data, { signer: 'plain', nonce }), 'timestamp_untrusted'],
    ['issued by no authority', signedBy('below-plain', 0, 'plain'), 'timestamp_untrusted'],
    ['its own root', signedBy('itself'), 'timestamp_untrusted'],
    ['issued by a signer', signedBy('below-leaf', 0, 'tsa'), 'timestamp_untrusted'],
    ['an authority that is missing', signedBy('below-ca-brief'), 'timestamp_untrusted'],
    ['a good authority between', signedBy('below-ca-brief', 1, 'ca-brief'), 'good'],
    ['an authority that has run out', signedBy('below-ca-brief', 3, 'ca-brief'), 'timestamp_untrusted'],
    ['an authority for some names', signedBy('below-ca-names', 0, 'ca-names'), 'timestamp_untrusted'],
    ['an authority for servers', signedBy('below-ca-other-purpose', 0, 'ca-other-purpose'), 'timestamp_untrusted'],
    ['one below is allowed', signedBy('below-ca-short', 0, 'ca-short'), 'good'],
    ['two below are not', signedBy('below-ca-too-deep', 0, 'ca-too-deep', 'ca-short'), 'timestamp_untrusted'],
    ['a certificate signed with SHA-1', signedBy('sha1'), 'timestamp_untrusted'],
  ]; // prettier-ignore
  for (const [name, response, code] of rows)
    t.equal(codeOf(verifyTimestamp(response, { data, roots, nonce })), code, name);
  t.equal(codeOf(verifyTimestamp(good, { data, roots, nonce })), 'good');
  t.equal(codeOf(verifyTimestamp(good, { data, roots: [], nonce })), 'timestamp_untrusted', 'no roots');
  t.equal(codeOf(verifyTimestamp(good, { data, roots: rootsOf(authority, 'other-root'), nonce })), 'timestamp_untrusted'); // prettier-ignore
  t.equal(codeOf(verifyTimestamp(good, { data, roots: rootsOf(authority, 'tsa'), nonce })), 'timestamp_untrusted', 'a signer is no root'); // prettier-ignore
  t.equal(codeOf(verifyTimestamp(good, { data, roots: rootsOf(authority, 'alias'), nonce })), 'timestamp_untrusted', 'the root’s key under another name'); // prettier-ignore
  t.end();
});

t.test('no part of an answer, and no change of a byte, says anything else', { skip }, (t) => {
  const authority = new TestAuthority(t);
  const roots = rootsOf(authority, 'root');
  const good = authority.reply(authority.query(data, '-cert'));
  const said = JSON.stringify(verifyTimestamp(good, { data, roots }));
  for (let length = 0; length < good.length; length += 5)
    if (verifyTimestamp(good.subarray(0, length), { data, roots }).ok) t.fail(`${length} bytes`);
  let refused = 0;
  let changes = 0;
  for (let at = 0; at < good.length; at += 3, changes++) {
    const changed = Uint8Array.from(good);
    changed[at] = (changed[at] ?? 0) ^ (at % 2 === 0 ? 0x01 : 0x80);
    const found = verifyTimestamp(changed, { data, roots });
    if (!found.ok) refused++;
    else if (JSON.stringify(found) !== said) t.fail(`byte ${at} changes what is said`);
  }
  t.ok(refused > 0.9 * changes, `${refused} of ${changes} changes were refused`);
  t.equal(codeOf(verifyTimestamp(deep(30_000), { data, roots })), 'timestamp_malformed', 'endless nesting');
  t.end();
});

t.test('an authority that answers badly, or not at all, is named', { skip }, async (t) => {
  const authority = new TestAuthority(t);
  const roots = authority.path('root.pem');
  const elsewhere = await serveAuthority(t, (query) => ({ body: authority.reply(query) }));
  const rows: [string, (query: Uint8Array) => HttpAnswer, TimestampFault | 'good'][] = [
    ['a good one', (query) => ({ body: authority.reply(query) }), 'good'],
    ['an error', (query) => ({ status: 500, body: authority.reply(query) }), 'timestamp_http_error'],
    ['a redirect', () => ({ status: 307, to: elsewhere.url }), 'timestamp_unreachable'],
    ['silence', () => undefined, 'timestamp_unreachable'],
    ['too much', (query) => ({ body: Buffer.concat([authority.reply(query), Buffer.alloc(16_384)]) }), 'timestamp_unreachable'],
    ['nothing', () => ({}), 'timestamp_malformed'],
    ['an old answer', () => ({ body: authority.reply(authority.query(data, '-cert')) }), 'timestamp_wrong_nonce'],
    ['tomorrow', (query) => ({ body: authority.forge(data, { nonce: nonceIn(query), time: inDays(1) }) }), 'timestamp_wrong_time'],
    ['now', (query) => ({ body: authority.forge(data, { nonce: nonceIn(query) }) }), 'good'],
  ]; // prettier-ignore
  for (const [name, answer, code] of rows) {
    const { url, asked } = await serveAuthority(t, answer);
    const timeoutMs = name === 'silence' ? 300 : 30_000;
    const found = await fetchTimestamp(data, { url, roots, timeoutMs });
    t.equal(codeOf(found), code, name);
    t.strictSame(asked, ['application/timestamp-query'], name);
  }
  t.equal(elsewhere.asked.length, 0, 'a redirect is not followed');
  const { url } = elsewhere;
  const missing = { url, roots: authority.path('missing'), timeoutMs: 1000 };
  t.equal(codeOf(await fetchTimestamp(data, missing)), 'timestamp_no_roots');
  t.equal(codeOf(await fetchTimestamp(data, { ...missing, roots: authority.path('tsa.key') })), 'timestamp_no_roots'); // prettier-ignore
  t.equal(elsewhere.asked.length, 0, 'and nobody is asked without roots');
  const closed = createServer().listen(0, '127.0.0.1');
  await once(closed, 'listening');
  const { port } = closed.address() as AddressInfo; // a TCP server's address
  await new Promise((resolve) => closed.close(resolve));
  const nobody = await fetchTimestamp(data, { url: `http://127.0.0.1:${port}/`, roots, timeoutMs: 5000 });
  t.equal(codeOf(nobody), 'timestamp_unreachable', 'nobody there');
});

t.test('a timestamp is over the checkpoint as the log alone signed it', (t) => {
  const read = (name: string): string => readFileSync(new URL(`../vectors/witnessed/${name}`, import.meta.url), 'utf8');
  const cosigned = read('14.checkpoint');
  const lines = cosigned.split('\n').filter((line) => !line.startsWith('— witness'));
  t.equal(cosigned.split('\n').length - lines.length, 2, 'two witnesses');
  t.equal(Buffer.from(timestampedBytes(cosigned) ?? '').toString(), lines.join('\n'));
  t.equal(Buffer.from(timestampedBytes(lines.join('\n')) ?? '').toString(), lines.join('\n'));
  t.equal(timestampedBytes('no checkpoint'), undefined);
  t.equal(timestampedBytes(lines.join('\n').replace('— localhost', '— elsewhere')), undefined);
  t.end();
}); // prettier-ignore

t.test('roots are certificates, all of them', { skip }, (t) => {
  const authority = new TestAuthority(t);
  const two = `${authority.pem('root')}some text\n${authority.pem('tsa')}`;
  t.equal(certificatesIn(two)?.length, 2);
  t.equal(certificatesIn(''), undefined);
  t.equal(certificatesIn(two.replace('MII', 'MJJ')), undefined, 'one that cannot be read');
  t.end();
});

/** The answer with the last of some bytes replaced by others of the same length. */
function spoil(response: Uint8Array, from: Uint8Array, to: Uint8Array): Uint8Array {
  const changed = Buffer.from(response);
  const at = changed.lastIndexOf(from);
  if (at < 0) throw new Error('not in it');
  changed.set(to, at);
  return changed;
}

/** Of a question of ours: 8 bytes, before `certReq`. */
function nonceIn(query: Uint8Array): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(query.subarray(-11, -3));
}

/** Sequences in sequences, of no stated length. */
function deep(levels: number): Uint8Array {
  return Buffer.from('3080'.repeat(levels), 'hex');
}
