/** Time-stamp responses and what is to be said of them. */
import type { Test } from 'tap';
import type { TimestampFault } from '../../src/lineage/timestamp/fault.ts';
import { timestampRequest } from '../../src/lineage/timestamp/timestamp.ts';
import { algorithmRows } from './algorithm-rows.ts';
import { CMS, TestAuthority } from './test-authority.ts';

/** A response over `data`, asked for with `nonce`. */
export interface StampRow {
  readonly name: string;
  readonly response: Uint8Array;
  /** PEM. */
  readonly roots: string;
  readonly code: TimestampFault | 'good';
}

/** What is timestamped. */
export const data = Buffer.from('log.example/1\n7\nroot\n\n— log.example/1 signature\n');
/** Of every question. */
export const nonce = Uint8Array.of(0x41, 2, 3, 4, 5, 6, 7, 8);

/** 1.2.840.10045.4.3.2 and .4, DER. */
const ECDSA_SHA256 = Buffer.from('06082a8648ce3d040302', 'hex');
const ECDSA_SHA512 = Buffer.from('06082a8648ce3d040304', 'hex');
const DAY_MS = 86_400_000;

/** So many days from now, in whole seconds. */
export const inDays = (days: number): Date => new Date(Math.floor(Date.now() / 1000) * 1000 + days * DAY_MS);

/** Answers, most of which are to be refused, made by OpenSSL now. */
export async function stampRows(t: Test): Promise<readonly StampRow[]> {
  const authority = new TestAuthority(t);
  authority.certify('alias', { is: 'ca', keyOf: 'root' });
  const good = authority.reply(await timestampRequest(data, nonce));
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
  const otherRoots: [string, string, TimestampFault | 'good'][] = [
    ['good', authority.pem('root'), 'good'],
    ['roots of others', authority.pem('other-root'), 'timestamp_untrusted'],
    ['a signer as root', authority.pem('tsa'), 'timestamp_untrusted'],
    ['the root’s key under another name', authority.pem('alias'), 'timestamp_untrusted'],
  ];
  return [
    ...rows.map(([name, response, code]) => ({ name, response, roots: authority.pem('root'), code })),
    ...(await algorithmRows(authority, data, nonce)).map(([name, response, code]) => ({
      name,
      response,
      roots: authority.pem('root'),
      code,
    })),
    ...otherRoots.map(([name, roots, code]) => ({ name, response: good, roots, code })),
  ];
}

/** The answer with the last of some bytes replaced by others of the same length. */
function spoil(response: Uint8Array, from: Uint8Array, to: Uint8Array): Uint8Array {
  const changed = Buffer.from(response);
  const at = changed.lastIndexOf(from);
  if (at < 0) throw new Error('not in it');
  changed.set(to, at);
  return changed;
}
