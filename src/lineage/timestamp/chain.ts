/**
 * From the certificate of a time-stamping authority to a trusted root, at the time that its token names (RFC 5280 §6.1,
 * without policies and names: a certificate that restricts those is refused, and so is what is critical and unknown).
 * Portable.
 */
import { equalBytes } from '../../crypto/bytes.ts';
import type { Certificate } from './certificate.ts';
import { judgeSignature } from './key.ts';

/** Whose certificate is looked at, and what is believed. */
export interface ChainQuestion {
  readonly signer: Certificate;
  /** What came with the token (attacker-controlled). */
  readonly certificates: readonly Certificate[];
  readonly roots: readonly Certificate[];
  /** Unix time in milliseconds. */
  readonly time: number;
}

const TIME_STAMPING = '1.3.6.1.5.5.7.3.8';
const ANY_PURPOSE = '2.5.29.37.0';
/** RFC 5280 §4.2.1.3: digitalSignature or nonRepudiation; keyCertSign. */
const MAY_SIGN = 0xc0;
const MAY_CERTIFY = 0x04;

/** What is wrong with the signer; undefined where its certificate holds. */
export async function chainFault(
  question: ChainQuestion,
): Promise<'timestamp_wrong_purpose' | 'timestamp_expired' | 'timestamp_untrusted' | undefined> {
  const { signer, certificates, time } = question;
  if (!isForTimestamps(signer)) return 'timestamp_wrong_purpose';
  if (!holdsAt(signer, time)) return 'timestamp_expired';
  const between = new Set(certificates.filter(({ der }) => !equalBytes(der, signer.der)));
  return (await leadsToRoot(signer, { ...question, between, below: 0 })) ? undefined : 'timestamp_untrusted';
}

/** RFC 3161 §2.3: one purpose, and critical. */
function isForTimestamps({ purposes, usage = MAY_SIGN, isUnderstood }: Certificate): boolean {
  const isOnly = purposes?.list.length === 1 && purposes.list[0] === TIME_STAMPING;
  return isOnly && purposes.critical && (usage & MAY_SIGN) !== 0 && isUnderstood;
}

interface Climb extends ChainQuestion {
  /** What was not tried yet: each certificate is tried once, so that no maze of them takes long. */
  readonly between: Set<Certificate>;
  /** Authorities passed so far. */
  readonly below: number;
}

async function leadsToRoot(certificate: Certificate, climb: Climb): Promise<boolean> {
  const { roots, between, below } = climb;
  for (const root of roots) if (await issued(root, certificate, climb)) return true;
  for (const next of between) {
    if (!(await issued(next, certificate, climb))) continue;
    between.delete(next);
    if (await leadsToRoot(next, { ...climb, below: below + 1 })) return true;
  }
  return false;
}

/** The names match, it may sign certificates then, and it signed this one. */
async function issued(issuer: Certificate, certificate: Certificate, climb: Climb): Promise<boolean> {
  if (!equalBytes(issuer.subject, certificate.issuer) || !mayIssue(issuer, climb)) return false;
  const { scheme, signed: data, signature } = certificate;
  if (!scheme?.digest) return false;
  const judgement = judgeSignature({ scheme, digest: scheme.digest, key: issuer.key, data, signature });
  return (await judgement) === 'good';
}

/** `below`: how many authorities stand between it and the signer. */
function mayIssue(issuer: Certificate, { time, below }: Climb): boolean {
  const { authority, purposes, usage = MAY_CERTIFY, isUnderstood } = issuer;
  const isFor = !purposes || purposes.list.some((each) => each === TIME_STAMPING || each === ANY_PURPOSE);
  const mayCertify = authority !== undefined && below <= authority.depth && (usage & MAY_CERTIFY) !== 0;
  return mayCertify && isFor && isUnderstood && holdsAt(issuer, time);
}

function holdsAt({ from, until }: Certificate, time: number): boolean {
  return from <= time && time <= until;
}
