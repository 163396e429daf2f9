/** Authorities of every kind of key and signature: which ones are accepted, and which are not. */
import type { TimestampFault } from '../../src/lineage/timestamp/fault.ts';
import { timestampRequest } from '../../src/lineage/timestamp/timestamp.ts';
import { ed25519Response } from './ed25519-token.ts';
import { CMS } from './test-authority.ts';
import type { CertificatePlan, TestAuthority } from './test-authority.ts';

type Row = [name: string, response: Uint8Array, code: TimestampFault | 'good'];

/** Answers over `data` by authorities under `root`. Those of `openssl ts` where it can, else forged. */
export async function algorithmRows(
  authority: TestAuthority,
  data: Uint8Array,
  nonce: Uint8Array<ArrayBuffer>,
): Promise<readonly Row[]> {
  const certify = (name: string, plan: CertificatePlan): void =>
    authority.certify(name, { issuer: 'root', ...plan });
  const keys = ['ec-P-384', 'ec-P-521', 'ec-secp256k1', 'ec-brainpoolP256r1', 'rsa-2048', 'rsa-pss-2048', 'ed25519', 'ed448'] as const; // prettier-ignore
  for (const key of keys) certify(key, { key });
  certify('rsa-root', { issuer: 'root', is: 'ca', key: 'rsa-2048' });
  certify('ed25519-root', { issuer: 'root', is: 'ca', key: 'ed25519' });
  certify('below-pss', { issuer: 'rsa-root', pss: true });
  certify('below-pss-sha1', { issuer: 'rsa-root', pss: true, digest: 'sha1' });
  certify('below-ed25519', { issuer: 'ed25519-root' });
  certify('below-sha224', { digest: 'sha224' });
  certify('below-md5', { issuer: 'rsa-root', digest: 'md5' });
  certify('ed25519-below-ed25519', { issuer: 'ed25519-root', key: 'ed25519' });

  const query = await timestampRequest(data, nonce);
  const reply = (signer: string, digest = 'sha256'): Uint8Array =>
    authority.reply(query, signer, `-${digest}`);
  const forged = (signer: string, ...args: readonly string[]): Uint8Array =>
    authority.forge(data, { signer, nonce, args: ['-cades', '-econtent_type', ...CMS.slice(-1), ...args] });
  const pss = (digest: string, salt: string, ...more: readonly string[]): Uint8Array =>
    forged('rsa-2048', '-md', digest, '-keyopt', 'rsa_padding_mode:pss', '-keyopt', `rsa_pss_saltlen:${salt}`, ...more); // prettier-ignore
  const below = (signer: string, issuer: string): Uint8Array =>
    forged(signer, '-md', 'sha256', '-certfile', `${issuer}.pem`);
  return [
    ['ECDSA P-256, SHA-512', reply('tsa', 'sha512'), 'good'],
    ['ECDSA P-384, SHA-384', reply('ec-P-384', 'sha384'), 'good'],
    ['ECDSA P-384, SHA-256', reply('ec-P-384'), 'good'],
    ['ECDSA P-521, SHA-512', reply('ec-P-521', 'sha512'), 'good'],
    ['ECDSA P-256, SHA-1', forged('tsa', '-md', 'sha1'), 'timestamp_weak'],
    ['ECDSA P-256, SHA-224', forged('tsa', '-md', 'sha224'), 'timestamp_weak'],
    ['ECDSA secp256k1', reply('ec-secp256k1'), 'timestamp_weak'],
    ['ECDSA brainpool', reply('ec-brainpoolP256r1'), 'timestamp_weak'],
    ['RSA, SHA-256', reply('rsa-2048'), 'good'],
    ['RSA, SHA-512', reply('rsa-2048', 'sha512'), 'good'],
    ['RSA, SHA-1', forged('rsa-2048', '-md', 'sha1'), 'timestamp_weak'],
    ['RSA, MD5', forged('rsa-2048', '-md', 'md5'), 'timestamp_weak'],
    ['RSA-PSS, SHA-256', pss('sha256', '-1'), 'good'],
    ['RSA-PSS, SHA-384', pss('sha384', '-1'), 'good'],
    ['RSA-PSS, SHA-512, all the salt that fits', pss('sha512', '-2'), 'good'],
    ['RSA-PSS, a short salt', pss('sha256', '20'), 'timestamp_weak'],
    ['RSA-PSS, two hashes', pss('sha256', '-1', '-keyopt', 'rsa_mgf1_md:sha384'), 'timestamp_weak'],
    ['RSA-PSS, SHA-1', pss('sha1', '-1'), 'timestamp_weak'],
    ['RSA-PSS, a key for that alone', forged('rsa-pss-2048', '-md', 'sha256'), 'timestamp_weak'],
    ['Ed25519', ed25519Response(authority, data, { signer: 'ed25519', nonce }), 'good'],
    ['Ed25519, another content', ed25519Response(authority, Buffer.from('else'), { signer: 'ed25519', nonce }), 'timestamp_wrong_imprint'],
    ['Ed25519, a digest that is not its own', ed25519Response(authority, data, { signer: 'ed25519', nonce, digest: 'sha256' }), 'timestamp_weak'],
    ['Ed25519, said of another key', ed25519Response(authority, data, { signer: 'ed448', nonce }), 'timestamp_weak'],
    ['a certificate signed with RSA-PSS', below('below-pss', 'rsa-root'), 'good'],
    ['a certificate signed with RSA-PSS, SHA-1', below('below-pss-sha1', 'rsa-root'), 'timestamp_untrusted'],
    ['a certificate signed with Ed25519', below('below-ed25519', 'ed25519-root'), 'good'],
    ['a certificate signed with SHA-224', forged('below-sha224', '-md', 'sha256'), 'timestamp_untrusted'],
    ['a certificate signed with MD5', below('below-md5', 'rsa-root'), 'timestamp_untrusted'],
    ['Ed25519, and its issuer is not there', ed25519Response(authority, data, { signer: 'ed25519-below-ed25519', nonce }), 'timestamp_untrusted'],
  ]; // prettier-ignore
}
