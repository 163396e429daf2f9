/** What a chain of certificates is judged by: X.509 (RFC 5280 §4.1), and what was signed byte for byte as it came. Portable. */
import { BitString, fromBER, Sequence } from 'asn1js';
import { BasicConstraints, Certificate as X509, ExtKeyUsage } from 'pkijs';
import type { RelativeDistinguishedNames } from 'pkijs';
import { fromBase64 } from '../../crypto/base64.ts';
import { equalBytes } from '../../crypto/bytes.ts';
import { schemeOf } from './key.ts';
import type { Scheme } from './key.ts';

/** A certificate. Nothing in it is verified. */
export interface Certificate {
  readonly der: Uint8Array;
  /** What its issuer signed, and how; without a scheme it is none that is accepted. */
  readonly signed: Uint8Array;
  readonly scheme: Scheme | undefined;
  readonly signature: Uint8Array;
  /** Names, DER. */
  readonly issuer: Uint8Array;
  readonly subject: Uint8Array;
  /** The subject, for people (attacker-controlled). */
  readonly name: string;
  /** SubjectPublicKeyInfo, DER. */
  readonly key: Uint8Array;
  /** Unix time in milliseconds, both within. */
  readonly from: number;
  readonly until: number;
  /** What an authority may: undefined where it is none; `depth`: so many authorities below it, where it says so. */
  readonly authority: { readonly depth: number } | undefined;
  /** First octet of `keyUsage`; undefined where the key is not restricted. */
  readonly usage: number | undefined;
  /** Object identifiers of the extended key usages; undefined where it is for everything. */
  readonly purposes: { readonly list: readonly string[]; readonly critical: boolean } | undefined;
  /** Whether all that must be understood is among the above, or is about policies, of which we ask none. */
  readonly isUnderstood: boolean;
}

const OID = {
  keyUsage: '2.5.29.15',
  basicConstraints: '2.5.29.19',
  certificatePolicies: '2.5.29.32',
  extKeyUsage: '2.5.29.37',
} as const;
const UNDERSTOOD: ReadonlySet<string> = new Set(Object.values(OID));

/** RFC 4519 §2, as OpenSSL writes them. */
const SHORT_NAMES: Readonly<Record<string, string>> = {
  '2.5.4.3': 'CN',
  '2.5.4.5': 'serialNumber',
  '2.5.4.6': 'C',
  '2.5.4.7': 'L',
  '2.5.4.8': 'ST',
  '2.5.4.10': 'O',
  '2.5.4.11': 'OU',
  '2.5.4.97': 'organizationIdentifier',
  '1.2.840.113549.1.9.1': 'emailAddress',
};

/** The certificates in a PEM file (RFC 7468); undefined where there is none, or one that cannot be read. */
export function certificatesIn(pem: string): readonly Certificate[] | undefined {
  const blocks = [...pem.matchAll(/-----BEGIN CERTIFICATE-----([^-]*)-----END CERTIFICATE-----/g)];
  if (blocks.length === 0) return undefined;
  try {
    return blocks.map(([, text = '']) => {
      const der = fromBase64(text.replace(/\s/g, ''));
      if (!der) throw new Error('not base64');
      return readCertificate(der);
    });
  } catch {
    return undefined;
  }
}

/** Reads one (attacker-controlled). Throws at what is none. */
export function readCertificate(der: Uint8Array): Certificate {
  const { offset, result } = fromBER(Uint8Array.from(der));
  if (offset !== der.length || !(result instanceof Sequence)) throw new Error('not one certificate');
  const [signed, algorithm, signature] = result.valueBlock.value;
  if (!(signed instanceof Sequence) || !(algorithm instanceof Sequence) || !(signature instanceof BitString))
    throw new Error('not a certificate');
  const read = new X509({ schema: result });
  const fields = signed.valueBlock.value;
  const [inner, issuer, , subject, key] = fields.slice(read.version === 0 ? 1 : 2);
  if (!inner || !issuer || !subject || !key) throw new Error('not a certificate');
  if (!equalBytes(inner.valueBeforeDecodeView, algorithm.valueBeforeDecodeView))
    throw new Error('two algorithms'); // RFC 5280 §4.1.1.2
  return {
    der,
    signed: signed.valueBeforeDecodeView,
    scheme: schemeOf(read.signatureAlgorithm),
    signature: signature.valueBlock.valueHexView,
    issuer: issuer.valueBeforeDecodeView,
    subject: subject.valueBeforeDecodeView,
    name: nameOf(read.subject),
    key: key.valueBeforeDecodeView,
    from: read.notBefore.value.getTime(),
    until: read.notAfter.value.getTime(),
    ...readExtensions(read),
  };
}

function readExtensions({
  extensions = [],
}: X509): Pick<Certificate, 'authority' | 'usage' | 'purposes' | 'isUnderstood'> {
  const byId = new Map(extensions.map((each) => [each.extnID, each]));
  if (byId.size !== extensions.length) throw new Error('an extension twice'); // RFC 5280 §4.2
  const constraints: unknown = byId.get(OID.basicConstraints)?.parsedValue;
  const purposes = byId.get(OID.extKeyUsage);
  const list: unknown = purposes?.parsedValue;
  const usage = byId.get(OID.keyUsage);
  return {
    authority: constraints instanceof BasicConstraints ? authorityOf(constraints) : undefined,
    usage: usage && usageIn(usage.extnValue.getValue()),
    purposes: purposes && {
      list: list instanceof ExtKeyUsage ? list.keyPurposes : [],
      critical: purposes.critical,
    },
    isUnderstood: extensions.every(({ extnID, critical }) => !critical || UNDERSTOOD.has(extnID)),
  };
}

function authorityOf({ cA, pathLenConstraint }: BasicConstraints): Certificate['authority'] {
  if (!cA) return undefined;
  if (pathLenConstraint === undefined) return { depth: Number.POSITIVE_INFINITY };
  return { depth: typeof pathLenConstraint === 'number' ? pathLenConstraint : 0 }; // a number beyond all sense
}

/** 0, which allows nothing, where it cannot be read. */
function usageIn(value: ArrayBuffer): number {
  const bits = fromBER(value).result;
  return bits instanceof BitString ? (bits.valueBlock.valueHexView[0] ?? 0) : 0;
}

function nameOf({ typesAndValues }: RelativeDistinguishedNames): string {
  return typesAndValues
    .map(({ type, value }) => `${SHORT_NAMES[type] ?? type}=${String(value.valueBlock.value)}`)
    .join(', ');
}
