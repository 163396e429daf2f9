/** A token signed with Ed25519 (RFC 8419), which OpenSSL 3.0 cannot make. */
import { hash, createPrivateKey, sign, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { ObjectIdentifier } from 'asn1js';
import { readCertificate } from '../../src/lineage/timestamp/certificate.ts';
import { der, granted, tokenInfo } from './test-authority.ts';
import type { Forgery, TestAuthority } from './test-authority.ts';

const [SEQUENCE, SET, INTEGER, OCTETS, CONTEXT_0] = [0x30, 0x31, 0x02, 0x04, 0xa0];
const OIDS = { sha256: '2.16.840.1.101.3.4.2.1', sha512: '2.16.840.1.101.3.4.2.3' } as const;

const oid = (value: string): Uint8Array => new Uint8Array(new ObjectIdentifier({ value }).toBER());
const algorithm = (value: string): Uint8Array => der(SEQUENCE, oid(value));
const attribute = (type: string, value: Uint8Array): Uint8Array => der(SEQUENCE, oid(type), der(SET, value));

/** A response over `data` by a certificate with an Ed25519 key. `digest`: by rights SHA-512 (RFC 8419 §3.1). */
export function ed25519Response(
  authority: TestAuthority,
  data: Uint8Array,
  {
    digest = 'sha512',
    ...forgery
  }: Forgery & { readonly signer: string; readonly digest?: keyof typeof OIDS },
): Uint8Array {
  const { signer } = forgery;
  const certificate = new X509Certificate(authority.pem(signer));
  const content = tokenInfo(data, forgery);
  const [info, algorithms] = ['1.2.840.113549.1.9.16.1.4', algorithm(OIDS[digest])];
  const certificateId = der(
    SEQUENCE,
    algorithm(OIDS.sha256),
    der(OCTETS, hash('sha256', certificate.raw, 'buffer')),
  );
  const attributes = [
    attribute('1.2.840.113549.1.9.3', oid(info)),
    attribute('1.2.840.113549.1.9.4', der(OCTETS, hash(digest, content, 'buffer'))),
    attribute('1.2.840.113549.1.9.16.2.47', der(SEQUENCE, der(SEQUENCE, certificateId))),
  ].toSorted(Buffer.compare);
  const key = createPrivateKey(readFileSync(authority.path(`${signer}.key`)));
  const { issuer } = readCertificate(certificate.raw);
  const signerInfo = der(
    SEQUENCE,
    der(INTEGER, Uint8Array.of(1)),
    der(SEQUENCE, issuer, der(INTEGER, Buffer.from(`00${certificate.serialNumber}`, 'hex'))),
    algorithms,
    der(CONTEXT_0, ...attributes),
    algorithm('1.3.101.112'),
    der(OCTETS, sign(null, der(SET, ...attributes), key)),
  );
  const signed = der(
    SEQUENCE,
    der(INTEGER, Uint8Array.of(3)),
    der(SET, algorithms),
    der(SEQUENCE, oid(info), der(CONTEXT_0, der(OCTETS, content))),
    der(CONTEXT_0, certificate.raw),
    der(SET, signerInfo),
  );
  return granted(der(SEQUENCE, oid('1.2.840.113549.1.7.2'), der(CONTEXT_0, signed)));
}
