/**
 * The signature of a time-stamp token: CMS SignedData (RFC 5652) in the profile of RFC 3161 §2.4.2. Throws at what is not.
 * Portable.
 */
import { Constructed, ObjectIdentifier, OctetString, Sequence } from 'asn1js';
import { SignedData } from 'pkijs';
import type { ContentInfo, SignerInfo } from 'pkijs';
import { equalBytes } from '../../crypto/bytes.ts';
import { readCertificate } from './certificate.ts';
import type { Certificate } from './certificate.ts';
import { digestNamed, digestOf, judgeSignature, schemeOf } from './key.ts';

/** What was signed, and by whom. Whether the signer is to be believed is another question. */
export interface OpenedToken {
  /** TSTInfo, DER. */
  readonly content: Uint8Array;
  readonly signer: Certificate;
  /** All that came with it. */
  readonly certificates: readonly Certificate[];
}

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

/** Checks everything that the signature binds; a code where it is well-formed and wrong. */
export async function openToken(
  token: ContentInfo,
): Promise<OpenedToken | 'timestamp_wrong_signer' | 'timestamp_bad_signature' | 'timestamp_weak'> {
  const { content, info } = readToken(token);
  const digest = digestNamed(info.digestAlgorithm.algorithmId);
  const scheme = schemeOf(info.signatureAlgorithm);
  if (!digest || !scheme || (scheme.digest ?? digest) !== digest) return 'timestamp_weak';
  const certificates = certificatesOf(token.content);
  const signer = await signerAmong(certificates, info);
  if (!signer) return 'timestamp_wrong_signer';
  const { signedAttrs, signature } = info;
  const judgement = await judgeSignature({
    ...{ scheme, digest, key: signer.key },
    data: new Uint8Array(signedAttrs?.encodedValue ?? []), // RFC 5652 §5.4: as they came, with the tag of a SET
    signature: new Uint8Array(signature.getValue()),
  });
  if (judgement === 'weak') return 'timestamp_weak';
  const isBound = bindsContent(info, await digestOf(digest, content));
  return isBound && judgement === 'good' ? { content, signer, certificates } : 'timestamp_bad_signature';
}

/** What a token says, before anything of it is verified. Throws. */
export function readToken({ contentType, content: schema }: ContentInfo): {
  readonly content: Uint8Array;
  readonly info: SignerInfo;
} {
  if (contentType !== OID.signedData) throw new Error('not signed data');
  const { signerInfos, encapContentInfo } = new SignedData({ schema });
  const [info, ...others] = signerInfos;
  const { eContentType, eContent } = encapContentInfo;
  if (!info || others.length > 0 || eContentType !== OID.tstInfo || !eContent) throw new Error('not a token');
  return { content: new Uint8Array(eContent.getValue()), info };
}

/** As they came, byte for byte: what signs them, and the token's signer, is over those. */
function certificatesOf(signedData: unknown): readonly Certificate[] {
  if (!(signedData instanceof Sequence)) throw new Error('not signed data');
  const set = signedData.valueBlock.value.find(
    ({ idBlock }) => idBlock.tagClass === CONTEXT_CLASS && idBlock.tagNumber === CERTIFICATES_TAG,
  );
  if (!(set instanceof Constructed)) return [];
  const all = set.valueBlock.value;
  if (all.length > MAX_CERTIFICATES) throw new Error('too many certificates');
  return all.map(({ valueBeforeDecodeView }) => readCertificate(valueBeforeDecodeView));
}

/** The one certificate whose digest is signed (RFC 5035 §4, RFC 2634 §5.4): nobody can put another one in its place. */
async function signerAmong(
  certificates: readonly Certificate[],
  info: SignerInfo,
): Promise<Certificate | undefined> {
  const v2 = attribute(info, OID.signingCertificateV2);
  const id = firstOf(firstOf(v2 ?? attribute(info, OID.signingCertificate)));
  const [first, second] = id instanceof Sequence ? id.valueBlock.value : [];
  const algorithm = first instanceof Sequence ? digestIn(first) : v2 === undefined ? 'SHA-1' : 'SHA-256';
  const digest = first instanceof Sequence ? second : first;
  if (!algorithm || !(digest instanceof OctetString)) return undefined;
  const wanted = digest.valueBlock.valueHexView;
  for (const each of certificates) if (equalBytes(await digestOf(algorithm, each.der), wanted)) return each;
  return undefined;
}

function firstOf(block: unknown): unknown {
  return block instanceof Sequence ? block.valueBlock.value[0] : undefined;
}

function digestIn(identifier: Sequence): ReturnType<typeof digestNamed> {
  const [oid] = identifier.valueBlock.value;
  return oid instanceof ObjectIdentifier ? digestNamed(oid.getValue()) : undefined;
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
