/** The signature of a time-stamp token: CMS SignedData (RFC 5652) in the profile of RFC 3161 §2.4.2. Throws at what is not. */
import { hash, verify, X509Certificate } from 'node:crypto';
import { Constructed, ObjectIdentifier, OctetString, Sequence } from 'asn1js';
import { SignedData } from 'pkijs';
import type { ContentInfo, SignerInfo } from 'pkijs';
import { equalBytes } from '../crypto/bytes.ts';

/** What was signed, and by whom. Whether the signer is to be believed is another question. */
export interface OpenedToken {
  /** TSTInfo, DER. */
  readonly content: Uint8Array;
  readonly signer: X509Certificate;
  /** All that came with it. */
  readonly certificates: readonly X509Certificate[];
}

/** Algorithms of signatures, on tokens and certificates alike; without a digest the token says which. */
export const SIGNATURES: Readonly<Record<string, { readonly key: string; readonly digest?: string }>> = {
  '1.2.840.113549.1.1.1': { key: 'rsa' },
  '1.2.840.113549.1.1.11': { key: 'rsa', digest: 'sha256' },
  '1.2.840.113549.1.1.12': { key: 'rsa', digest: 'sha384' },
  '1.2.840.113549.1.1.13': { key: 'rsa', digest: 'sha512' },
  '1.2.840.10045.4.3.2': { key: 'ec', digest: 'sha256' },
  '1.2.840.10045.4.3.3': { key: 'ec', digest: 'sha384' },
  '1.2.840.10045.4.3.4': { key: 'ec', digest: 'sha512' },
};

const DIGESTS: Readonly<Record<string, string>> = {
  '2.16.840.1.101.3.4.2.1': 'sha256',
  '2.16.840.1.101.3.4.2.2': 'sha384',
  '2.16.840.1.101.3.4.2.3': 'sha512',
};

const OID = {
  signedData: '1.2.840.113549.1.7.2',
  tstInfo: '1.2.840.113549.1.9.16.1.4',
  contentType: '1.2.840.113549.1.9.3',
  messageDigest: '1.2.840.113549.1.9.4',
  signingCertificate: '1.2.840.113549.1.9.16.2.12',
  signingCertificateV2: '1.2.840.113549.1.9.16.2.47',
} as const;

/** RFC 5652 §5.1: `certificates [0]`. */
const CERTIFICATES_TAG = 0;
const CONTEXT_CLASS = 3;
/** A signer and what leads to its root. */
const MAX_CERTIFICATES = 8;
const MIN_RSA_BITS = 2048;

/** Checks everything that the signature binds; a code where it is well-formed and wrong. */
export function openToken(
  token: ContentInfo,
): OpenedToken | 'timestamp_wrong_signer' | 'timestamp_bad_signature' | 'timestamp_weak' {
  if (token.contentType !== OID.signedData) throw new Error('not signed data');
  const signed = new SignedData({ schema: token.content });
  const [info, ...others] = signed.signerInfos;
  const { eContentType, eContent } = signed.encapContentInfo;
  if (!info || others.length > 0 || eContentType !== OID.tstInfo || !eContent) throw new Error('not a token');
  const content = new Uint8Array(eContent.getValue());
  const certificates = certificatesOf(token.content);
  const signer = signerAmong(certificates, info);
  if (!signer) return 'timestamp_wrong_signer';
  const digest = DIGESTS[info.digestAlgorithm.algorithmId];
  const algorithm = SIGNATURES[info.signatureAlgorithm.algorithmId];
  if (!digest || !algorithm || (algorithm.digest ?? digest) !== digest) return 'timestamp_weak';
  if (!isStrong(signer, algorithm.key)) return 'timestamp_weak';
  const bound = bindsContent(info, hash(digest, content, 'buffer'));
  return bound && isSigned(info, digest, signer)
    ? { content, signer, certificates }
    : 'timestamp_bad_signature';
}

/** Whether a certificate's key is of this kind, and long enough. */
export function isStrong({ publicKey }: X509Certificate, kind: string): boolean {
  const { modulusLength = 0 } = publicKey.asymmetricKeyDetails ?? {};
  return publicKey.asymmetricKeyType === kind && (kind !== 'rsa' || modulusLength >= MIN_RSA_BITS);
}

/** As they came, byte for byte: what signs them, and the token's signer, is over those. */
function certificatesOf(signedData: unknown): readonly X509Certificate[] {
  if (!(signedData instanceof Sequence)) throw new Error('not signed data');
  const set = signedData.valueBlock.value.find(
    ({ idBlock }) => idBlock.tagClass === CONTEXT_CLASS && idBlock.tagNumber === CERTIFICATES_TAG,
  );
  if (!(set instanceof Constructed)) return [];
  const all = set.valueBlock.value;
  if (all.length > MAX_CERTIFICATES) throw new Error('too many certificates');
  return all.map(({ valueBeforeDecodeView }) => new X509Certificate(valueBeforeDecodeView));
}

/** The one certificate whose digest is signed (RFC 5035 §4, RFC 2634 §5.4): nobody can put another one in its place. */
function signerAmong(
  certificates: readonly X509Certificate[],
  info: SignerInfo,
): X509Certificate | undefined {
  const value = attribute(info, OID.signingCertificateV2) ?? attribute(info, OID.signingCertificate);
  const id = firstOf(firstOf(value));
  const isV2 = attribute(info, OID.signingCertificateV2) !== undefined;
  const [first, second] = id instanceof Sequence ? id.valueBlock.value : [];
  const algorithm = first instanceof Sequence ? digestOf(first) : isV2 ? 'sha256' : 'sha1';
  const digest = first instanceof Sequence ? second : first;
  if (!algorithm || !(digest instanceof OctetString)) return undefined;
  const wanted = digest.valueBlock.valueHexView;
  return certificates.find(({ raw }) => equalBytes(hash(algorithm, raw, 'buffer'), wanted));
}

function firstOf(block: unknown): unknown {
  return block instanceof Sequence ? block.valueBlock.value[0] : undefined;
}

function digestOf(identifier: Sequence): string | undefined {
  const [oid] = identifier.valueBlock.value;
  return oid instanceof ObjectIdentifier ? DIGESTS[oid.getValue()] : undefined;
}

/** RFC 5652 §5.3: both attributes must be there. */
function bindsContent(info: SignerInfo, digest: Uint8Array): boolean {
  const type = attribute(info, OID.contentType);
  const found = attribute(info, OID.messageDigest);
  return (
    type instanceof ObjectIdentifier &&
    type.getValue() === OID.tstInfo &&
    found instanceof OctetString &&
    equalBytes(found.valueBlock.valueHexView, digest)
  );
}

/** The only value of the only attribute of this type. */
function attribute({ signedAttrs }: SignerInfo, type: string): unknown {
  const found = signedAttrs?.attributes.filter((each) => each.type === type) ?? [];
  const values: readonly unknown[] = found[0]?.values ?? [];
  return found.length === 1 && values.length === 1 ? values[0] : undefined;
}

/** RFC 5652 §5.4: over the attributes as they came, with the tag of a SET. */
function isSigned(
  { signedAttrs, signature }: SignerInfo,
  digest: string,
  { publicKey }: X509Certificate,
): boolean {
  const attributes = signedAttrs && new Uint8Array(signedAttrs.encodedValue);
  return (
    attributes !== undefined && verify(digest, attributes, publicKey, new Uint8Array(signature.getValue()))
  );
}
