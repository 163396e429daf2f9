/**
 * From the certificate of a time-stamping authority to a trusted root, at the time that its token names (RFC 5280 §6.1,
 * without policies and names: a certificate that restricts those is refused, and so is what is critical and unknown).
 */
import { X509Certificate } from 'node:crypto';
import { BitString, fromBER } from 'asn1js';
import { Certificate } from 'pkijs';
import type { Extension } from 'pkijs';
import { isStrong, SIGNATURES } from './timestamp-signature.ts';

/** Whose certificate is looked at, and what is believed. */
export interface ChainQuestion {
  readonly signer: X509Certificate;
  /** What came with the token (attacker-controlled). */
  readonly certificates: readonly X509Certificate[];
  readonly roots: readonly X509Certificate[];
  /** Unix time in milliseconds. */
  readonly time: number;
}

const OID = {
  keyUsage: '2.5.29.15',
  basicConstraints: '2.5.29.19',
  certificatePolicies: '2.5.29.32',
  extKeyUsage: '2.5.29.37',
  anyPurpose: '2.5.29.37.0',
  timeStamping: '1.3.6.1.5.5.7.3.8',
} as const;

/** Read here, or by OpenSSL in `checkIssued` and `ca`; policies say what for, and we ask for none. */
const UNDERSTOOD: ReadonlySet<string> = new Set([
  OID.keyUsage,
  OID.basicConstraints,
  OID.certificatePolicies,
  OID.extKeyUsage,
]);
/** RFC 5280 §4.2.1.3: digitalSignature, nonRepudiation. */
const MAY_SIGN = 0xc0;

/** The certificates in a PEM file (RFC 7468); undefined where there is none, or one that cannot be read. */
export function certificatesIn(pem: string): readonly X509Certificate[] | undefined {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g);
  try {
    return blocks?.map((block) => new X509Certificate(block));
  } catch {
    return undefined;
  }
}

/** What is wrong with the signer; undefined where its certificate holds. Throws where a certificate cannot be read. */
export function chainFault(
  question: ChainQuestion,
): 'timestamp_wrong_purpose' | 'timestamp_expired' | 'timestamp_untrusted' | undefined {
  const { signer, certificates, time } = question;
  if (!isForTimestamps(signer)) return 'timestamp_wrong_purpose';
  if (!holdsAt(signer, time)) return 'timestamp_expired';
  const between = new Set(certificates.filter((each) => !each.raw.equals(signer.raw)));
  return leadsToRoot(signer, { ...question, between, below: 0 }) ? undefined : 'timestamp_untrusted';
}

/** RFC 3161 §2.3: one purpose, and critical. */
function isForTimestamps(certificate: X509Certificate): boolean {
  const extensions = extensionsOf(certificate);
  const purpose = extensions.find(({ extnID }) => extnID === OID.extKeyUsage);
  const purposes = purposesOf(certificate);
  const isOnly = purposes?.length === 1 && purposes[0] === OID.timeStamping;
  return isOnly && purpose?.critical === true && maySign(extensions) && isUnderstood(extensions);
}

function maySign(extensions: readonly Extension[]): boolean {
  const usage = extensions.find(({ extnID }) => extnID === OID.keyUsage);
  if (!usage) return true;
  const bits = fromBER(usage.extnValue.getValue()).result;
  return bits instanceof BitString && ((bits.valueBlock.valueHexView[0] ?? 0) & MAY_SIGN) !== 0;
}

interface Climb extends ChainQuestion {
  /** What was not tried yet: each certificate is tried once, so that no maze of them takes long. */
  readonly between: Set<X509Certificate>;
  /** Authorities passed so far. */
  readonly below: number;
}

function leadsToRoot(certificate: X509Certificate, climb: Climb): boolean {
  const { roots, between, below } = climb;
  if (roots.some((root) => issued(root, certificate, climb))) return true;
  for (const next of between) {
    if (!issued(next, certificate, climb)) continue;
    between.delete(next);
    if (leadsToRoot(next, { ...climb, below: below + 1 })) return true;
  }
  return false;
}

/** Names and key identifiers match, it may sign certificates then, and it signed this one. */
function issued(issuer: X509Certificate, certificate: X509Certificate, { time, below }: Climb): boolean {
  return (
    certificate.checkIssued(issuer) &&
    issuer.ca &&
    holdsAt(issuer, time) &&
    mayIssue(issuer, below) &&
    isSignedStrongly(certificate, issuer) &&
    certificate.verify(issuer.publicKey)
  );
}

/** `below`: how many authorities stand between it and the signer. */
function mayIssue(issuer: X509Certificate, below: number): boolean {
  const extensions = extensionsOf(issuer);
  const constraints = extensions.find(({ extnID }) => extnID === OID.basicConstraints)?.parsedValue as
    { pathLenConstraint?: unknown } | undefined; // pkijs: BasicConstraints
  const depth = constraints?.pathLenConstraint;
  const purposes = purposesOf(issuer);
  const isFor = !purposes || purposes.includes(OID.timeStamping) || purposes.includes(OID.anyPurpose);
  return (
    isFor &&
    isUnderstood(extensions) &&
    (depth === undefined || (typeof depth === 'number' && below <= depth))
  );
}

/** The extended key usages, which Node calls `keyUsage`; undefined where the certificate does not restrict itself. */
function purposesOf({ keyUsage }: X509Certificate): readonly string[] | undefined {
  return keyUsage;
}

function isSignedStrongly(certificate: X509Certificate, issuer: X509Certificate): boolean {
  const algorithm = SIGNATURES[certificate.signatureAlgorithmOid ?? ''];
  return algorithm?.digest !== undefined && isStrong(issuer, algorithm.key);
}

function isUnderstood(extensions: readonly Extension[]): boolean {
  return extensions.every(({ extnID, critical }) => !critical || UNDERSTOOD.has(extnID));
}

function holdsAt({ validFromDate, validToDate }: X509Certificate, time: number): boolean {
  return validFromDate.getTime() <= time && time <= validToDate.getTime();
}

function extensionsOf({ raw }: X509Certificate): readonly Extension[] {
  return new Certificate({ schema: fromBER(Uint8Array.from(raw).buffer).result }).extensions ?? [];
}
